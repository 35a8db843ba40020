import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.BufferedMutator;
import org.apache.hadoop.hbase.client.BufferedMutatorParams;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * HBase's own client as a second baseline: reads commands from stdin and answers with seconds. {@code write TABLE ROWS}:
 * positions of 12 columns, a cell each, by BufferedMutator; {@code scan TABLE}: all cells are taken by ResultScanner.
 */
public class JavaClient {
  private static final byte[] FAMILY = Bytes.toBytes("d");
  private static final String[] DOUBLES = {"quantity", "price", "market_value", "fx_rate", "accrued", "weight"};
  private static final String[] TEXTS = {"currency", "asset_class", "country", "book"};

  public static void main(String[] arguments) throws Exception {
    try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create())) {
      BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
      System.out.println("ready");
      for (String line = commands.readLine(); line != null; line = commands.readLine()) {
        String[] words = line.split(" ");
        TableName table = TableName.valueOf(words[1]);
        long begun = System.nanoTime();
        long count = words[0].equals("write") ? write(connection, table, Integer.parseInt(words[2])) : scan(connection, table);
        System.out.println(count + " " + (System.nanoTime() - begun) / 1e9);
      }
    }
  }

  private static long write(Connection connection, TableName table, int rows) throws Exception {
    BufferedMutatorParams params = new BufferedMutatorParams(table).writeBufferSize(4 << 20);
    try (BufferedMutator mutator = connection.getBufferedMutator(params)) {
      for (int i = 0; i < rows; i++) {
        Put put = new Put(Bytes.toBytes(String.format("2024-01-31\0\0\0\0\0\0\0\1PF%06d\0FR%010d\0", i / 500, i)));
        for (int j = 0; j < DOUBLES.length; j++) {
          put.addColumn(FAMILY, Bytes.toBytes(DOUBLES[j]), Bytes.toBytes(i * 0.5 + j));
        }
        put.addColumn(FAMILY, Bytes.toBytes("trade_id"), Bytes.toBytes((long) i * 7919));
        put.addColumn(FAMILY, Bytes.toBytes("is_short"), Bytes.toBytes(i % 10 == 0));
        for (int j = 0; j < TEXTS.length; j++) {
          put.addColumn(FAMILY, Bytes.toBytes(TEXTS[j]), Bytes.toBytes("T" + (i + j) % 90));
        }
        mutator.mutate(put);
      }
    }
    return rows;
  }

  private static long scan(Connection connection, TableName name) throws Exception {
    long rows = 0;
    double sum = 0;
    byte[] price = Bytes.toBytes("price");
    try (Table table = connection.getTable(name); ResultScanner scanner = table.getScanner(new Scan().setCaching(5000))) {
      for (Result result : scanner) {
        rows++;
        sum += Bytes.toDouble(result.getValue(FAMILY, price));
      }
    }
    return Double.isNaN(sum) ? -1 : rows;
  }
}
