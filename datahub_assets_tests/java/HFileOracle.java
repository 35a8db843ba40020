import java.io.DataInput;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.KeyValueUtil;
import org.apache.hadoop.hbase.io.hfile.CacheConfig;
import org.apache.hadoop.hbase.io.hfile.FixedFileTrailer;
import org.apache.hadoop.hbase.io.hfile.HFile;
import org.apache.hadoop.hbase.io.hfile.HFilePrettyPrinter;
import org.apache.hadoop.hbase.io.hfile.HFileScanner;
import org.apache.hadoop.hbase.util.BloomFilter;
import org.apache.hadoop.hbase.util.BloomFilterFactory;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * HBase's own reader on files: {@code HFileOracle FILE …}. Of each file: {@code file levels=N rows sought=… in bloom=…
 * others in bloom=… false …}, then a line a cell in hexadecimal, then what HFilePrettyPrinter says with -v -p -m -k. Of a file
 * of more than 50,000 cells these are not told one by one, and every 997th is looked for.
 */
public class HFileOracle {
  private static final int SHOWN = 50_000;

  public static void main(String[] arguments) throws Exception {
    Configuration configuration = HBaseConfiguration.create();
    configuration.setFloat("hfile.block.cache.size", 0.1f);
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    System.setOut(out);
    for (String file : arguments) {
      Path path = new Path(file);
      boolean large;
      FileSystem files = path.getFileSystem(configuration);
      try (HFile.Reader reader = HFile.createReader(files, path, new CacheConfig(configuration), true, configuration)) {
        tell(out, reader, configuration);
        large = reader.getEntries() > SHOWN;
      }
      out.println("printer");
      HFilePrettyPrinter printer = new HFilePrettyPrinter(configuration);
      out.println("code " + printer.run(new String[] {large ? "-v" : "-p", "-v", "-m", "-k", "-f", file}));
    }
    out.flush();
  }

  private static void tell(PrintStream out, HFile.Reader reader, Configuration configuration) throws Exception {
    DataInput meta = reader.getGeneralBloomFilterMetadata();
    BloomFilter bloom = meta == null ? null : BloomFilterFactory.createFromMeta(meta, reader);
    FixedFileTrailer trailer = reader.getTrailer();
    StringBuilder cells = new StringBuilder();
    int sought = 0, sampled = 0, count = 0, known = 0, others = 0;
    HFileScanner scanner = reader.getScanner(configuration, false, true, false);
    HFileScanner seeker = reader.getScanner(configuration, false, true, false);
    for (boolean more = scanner.seekTo(); more; more = scanner.next()) {
      Cell cell = KeyValueUtil.copyToNewKeyValue(scanner.getCell());
      if (count++ % (reader.getEntries() > SHOWN ? 997 : 1) != 0) {
        continue;
      }
      sampled++;
      sought += seeker.seekTo(cell) == 0 && CellUtil.equals(seeker.getCell(), cell) ? 1 : 0;
      if (bloom != null) {
        byte[] row = CellUtil.cloneRow(cell);
        known += bloom.contains(row, 0, row.length, null) ? 1 : 0;
        row[row.length - 1] ^= 0x55;
        others += bloom.contains(row, 0, row.length, null) ? 1 : 0;
      }
      if (reader.getEntries() > SHOWN) {
        continue;
      }
      cells.append(Bytes.toHex(CellUtil.cloneRow(cell))).append(' ').append(Bytes.toString(CellUtil.cloneFamily(cell)));
      cells.append(':').append(Bytes.toHex(CellUtil.cloneQualifier(cell))).append(' ').append(cell.getTimestamp());
      cells.append(' ').append(Bytes.toHex(CellUtil.cloneValue(cell))).append('\n');
    }
    out.printf("file levels=%d count=%d entries=%d sampled=%d sought=%d known=%d others=%d middle=%s first=%s last=%s%n",
        trailer.getNumDataIndexLevels(), count, trailer.getEntryCount(), sampled, sought, known, others,
        Bytes.toHex(CellUtil.cloneRow(reader.midKey().get())), Bytes.toHex(reader.getFirstRowKey().get()),
        Bytes.toHex(reader.getLastRowKey().get()));
    out.print(cells);
  }
}
