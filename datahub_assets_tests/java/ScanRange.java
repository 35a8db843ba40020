import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.HConstants;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * The rows of ranges, as HBase's own client sees them: {@code ScanRange QUORUM PORT TABLE START STOP [START STOP …]}, the keys
 * in hexadecimal (an empty stop: to the end). A line a row: its key, then {@code family:qualifier=value} for each cell, all
 * in hexadecimal but for the colon and the sign.
 */
public class ScanRange {
  public static void main(String[] arguments) throws Exception {
    Configuration configuration = HBaseConfiguration.create();
    configuration.set(HConstants.ZOOKEEPER_QUORUM, arguments[0]);
    configuration.set(HConstants.ZOOKEEPER_CLIENT_PORT, arguments[1]);
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    try (Connection connection = ConnectionFactory.createConnection(configuration);
        Table table = connection.getTable(TableName.valueOf(arguments[2]))) {
      for (int i = 3; i < arguments.length; i += 2) {
        Scan scan = new Scan().withStartRow(Bytes.fromHex(arguments[i])).withStopRow(Bytes.fromHex(arguments[i + 1]));
        try (ResultScanner rows = table.getScanner(scan.setCaching(1000))) {
          for (Result row : rows) {
            out.println(line(row));
          }
        }
      }
    }
    out.flush();
  }

  private static String line(Result row) {
    StringBuilder line = new StringBuilder(Bytes.toHex(row.getRow()));
    for (Cell cell : row.rawCells()) {
      line.append(' ').append(Bytes.toHex(CellUtil.cloneFamily(cell)));
      line.append(':').append(Bytes.toHex(CellUtil.cloneQualifier(cell)));
      line.append('=').append(Bytes.toHex(CellUtil.cloneValue(cell)));
    }
    return line.toString();
  }
}
