import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.Properties;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.server.common.HdfsServerConstants.NamenodeRole;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.apache.hadoop.minikdc.MiniKdc;
import org.apache.hadoop.security.authentication.server.AuthenticationHandler;
import org.apache.hadoop.security.authentication.server.AuthenticationToken;

/**
 * Hadoop's own servers in one JVM on 127.0.0.1, for development and tests. Arguments: what to serve, and a folder for data.
 *
 * <p>{@code hdfs}: NameNode and DataNode with WebHDFS, and HttpFS over them. {@code folder}: HttpFS over a local folder, one
 * tree by mount and by REST as on MapR. Ports and options are system properties ({@code -Dhttpfs.port=…}); the file READY
 * appears in the folder when all answer. The JVM ends with the process {@code -Downer=…}, however that one ends.
 */
public class TestHadoop {
  private static final String USER = System.getProperty("user.name");

  public static void main(String[] arguments) {
    try {
      Path base = Path.of(arguments[1]).toAbsolutePath();
      endWithOwner();
      if (Boolean.getBoolean("httpfs.kerberos")) {
        kerberos(base);
      }
      Configuration filesystem = arguments[0].equals("hdfs") ? hdfs(base) : folder();
      httpfs(base, filesystem);
      Files.writeString(base.resolve("READY"), "ready");
      Thread.currentThread().join();
    } catch (Throwable failure) {
      failure.printStackTrace();
      System.exit(1);
    }
  }

  private static void endWithOwner() {
    Long owner = Long.getLong("owner");
    if (owner != null) {
      ProcessHandle.of(owner).ifPresentOrElse(
          process -> process.onExit().thenRun(() -> Runtime.getRuntime().halt(0)), () -> Runtime.getRuntime().halt(0));
    }
  }

  private static int port(String name) {
    return Integer.getInteger(name);
  }

  private static String at(String name) {
    return "127.0.0.1:" + port(name);
  }

  /** A key distribution centre of the realm EXAMPLE.COM: krb5.conf, and keytabs of HttpFS and of the user hub. */
  private static void kerberos(Path base) throws Exception {
    Path folder = Files.createDirectories(base.resolve("kdc"));
    MiniKdc centre = new MiniKdc(MiniKdc.createConf(), folder.toFile());
    centre.start();
    Files.copy(centre.getKrb5conf().toPath(), base.resolve("krb5.conf"));
    centre.createPrincipal(base.resolve("http.keytab").toFile(), "HTTP/localhost");
    centre.createPrincipal(base.resolve("hub.keytab").toFile(), "hub");
  }

  private static Configuration hdfs(Path base) throws Exception {
    Path names = base.resolve("names");
    Configuration c = new HdfsConfiguration();
    c.set("fs.defaultFS", "hdfs://" + at("namenode.port"));
    c.set("dfs.namenode.rpc-address", at("namenode.port"));
    c.set("dfs.namenode.http-address", at("webhdfs.port"));
    c.set("dfs.namenode.name.dir", names.toUri().toString());
    c.set("dfs.datanode.data.dir", base.resolve("blocks").toUri().toString());
    c.set("dfs.datanode.address", at("datanode.port"));
    c.set("dfs.datanode.ipc.address", at("datanode.ipc.port"));
    c.set("dfs.datanode.http.address", at("datanode.http.port"));
    c.set("dfs.datanode.hostname", "127.0.0.1");
    c.set("dfs.namenode.datanode.registration.ip-hostname-check", "false");
    c.set("dfs.replication", "1");
    c.set("dfs.permissions.enabled", "true");
    c.set("dfs.namenode.safemode.extension", "0");
    c.set("dfs.namenode.fs-limits.min-block-size", "1024");
    // a file is closed before its block is reported, and the client asks again soon: 5 → more than 100 small files a second
    c.set("dfs.namenode.file.close.num-committed-allowed", "1");
    c.set("dfs.client.block.write.locateFollowingBlock.initial.delay.ms", "20");
    c.set("hadoop.http.staticuser.user", USER);
    trust(c, "hadoop.");
    Path conf = Files.createDirectories(base.resolve("conf"));  // for other programs: HBase's, Hadoop's own client
    write(c, conf.resolve("core-site.xml"));
    write(c, conf.resolve("hdfs-site.xml"));

    DefaultMetricsSystem.setMiniClusterMode(true);  // two daemons in one JVM
    if (!Files.exists(names.resolve("current/VERSION"))) {
      NameNode.format(c);
    }
    NameNode.initMetrics(c, NamenodeRole.NAMENODE);
    NameNode names_ = new NameNode(c);
    DataNode data = DataNode.createDataNode(new String[] {}, c);
    while (!data.isDatanodeFullyStarted() || names_.getNamesystem().getNumLiveDataNodes() < 1 || names_.isInSafeMode()) {
      Thread.sleep(20);
    }
    FileSystem files = FileSystem.get(c);
    org.apache.hadoop.fs.Path tmp = new org.apache.hadoop.fs.Path("/tmp");
    files.mkdirs(tmp);
    files.setPermission(tmp, new FsPermission((short) 01777));
    return c;
  }

  private static Configuration folder() {
    Configuration c = new Configuration(false);
    c.set("fs.defaultFS", "file:///");
    c.set("fs.file.impl", "org.apache.hadoop.fs.RawLocalFileSystem");  // as a mount shows it: no files of checksums
    trust(c, "hadoop.");
    return c;
  }

  private static void httpfs(Path base, Configuration filesystem) throws Exception {
    Path home = base.resolve("httpfs");
    Path conf = Files.createDirectories(home.resolve("conf"));
    for (String folder : new String[] {"log", "temp"}) {
      Files.createDirectories(home.resolve(folder));
    }
    write(filesystem, conf.resolve("core-site.xml"));
    write(filesystem, conf.resolve("hdfs-site.xml"));
    Files.writeString(conf.resolve("httpfs-signature.secret"), "of tests");
    Files.writeString(conf.resolve("httpfs-log4j.properties"), "log4j.rootLogger=WARN\n");

    Configuration site = new Configuration(false);
    site.set("httpfs.hadoop.config.dir", conf.toString());
    trust(site, "httpfs.");
    boolean tls = System.getProperty("httpfs.keystore") != null;
    if (tls) {
      Configuration keys = new Configuration(false);
      keys.set("ssl.server.keystore.location", System.getProperty("httpfs.keystore"));
      keys.set("ssl.server.keystore.password", "of-tests");
      keys.set("ssl.server.keystore.keypassword", "of-tests");
      keys.set("ssl.server.keystore.type", "pkcs12");
      write(keys, conf.resolve("ssl-server.xml"));
    }
    boolean kerberos = Boolean.getBoolean("httpfs.kerberos");
    String authentication =
        kerberos ? "kerberos" : System.getProperty("httpfs.password") != null ? Password.class.getName() : "simple";
    for (String prefix : new String[] {"hadoop.http.authentication.", "httpfs.authentication."}) {
      site.set(prefix + "type", authentication);
      site.set(prefix + "signature.secret.file", conf.resolve("httpfs-signature.secret").toString());
      if (kerberos) {
        site.set(prefix + "kerberos.principal", "HTTP/localhost@EXAMPLE.COM");
        site.set(prefix + "kerberos.keytab", base.resolve("http.keytab").toString());
      }
    }
    site.set("httpfs.ssl.enabled", "" + tls);
    site.set("httpfs.http.hostname", "127.0.0.1");
    site.set("httpfs.http.port", "" + port("httpfs.port"));
    write(site, conf.resolve("httpfs-site.xml"));
    for (Map.Entry<String, Path> folder : Map.of("home", home, "config", conf, "log", home.resolve("log"), "temp",
        home.resolve("temp")).entrySet()) {
      System.setProperty("httpfs." + folder.getKey() + ".dir", folder.getValue().toString());
    }
    System.setProperty("httpfs.http.hostname", "127.0.0.1");
    System.setProperty("httpfs.http.port", "" + port("httpfs.port"));

    Configuration server = new Configuration(true);
    server.addResource(new org.apache.hadoop.fs.Path(conf.resolve("httpfs-site.xml").toUri()));
    Configuration keys = new Configuration(false);
    if (tls) {
      keys.addResource(new org.apache.hadoop.fs.Path(conf.resolve("ssl-server.xml").toUri()));
    }
    var constructor = org.apache.hadoop.fs.http.server.HttpFSServerWebServer.class.getDeclaredConstructor(
        Configuration.class, Configuration.class);
    constructor.setAccessible(true);  // package-private in 3.4
    constructor.newInstance(server, keys).start();
  }

  /** The user of this JVM may act for others, as a gateway does. */
  private static void trust(Configuration c, String prefix) {
    c.set(prefix + "proxyuser." + USER + ".hosts", "*");
    c.set(prefix + "proxyuser." + USER + ".groups", "*");
  }

  private static void write(Configuration c, Path file) throws Exception {
    try (OutputStream out = Files.newOutputStream(file)) {
      c.writeXml(out);
    }
  }

  /** Basic authentication as MapR's HttpFS has it, with the one password of {@code -Dhttpfs.password}. */
  public static class Password implements AuthenticationHandler {
    @Override
    public String getType() {
      return "basic";
    }

    @Override
    public void init(Properties config) {}

    @Override
    public void destroy() {}

    @Override
    public boolean managementOperation(AuthenticationToken token, HttpServletRequest asked, HttpServletResponse answer) {
      return true;
    }

    @Override
    public AuthenticationToken authenticate(HttpServletRequest asked, HttpServletResponse answer) {
      String header = asked.getHeader("Authorization");
      if (header != null && header.startsWith("Basic ")) {
        String[] pair = new String(Base64.getDecoder().decode(header.substring(6))).split(":", 2);
        if (pair.length == 2 && pair[1].equals(System.getProperty("httpfs.password"))) {
          AuthenticationToken token = new AuthenticationToken(pair[0], pair[0], getType());
          token.setExpires(System.currentTimeMillis() + 3_600_000);
          return token;
        }
      }
      answer.setHeader("WWW-Authenticate", "Basic realm=\"tests\"");
      answer.setStatus(HttpServletResponse.SC_UNAUTHORIZED);
      return null;
    }
  }
}
