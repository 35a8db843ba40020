import java.util.List;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.CompactionState;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * What tests need of hbase shell: {@code namespace NAME}; {@code busy TABLE}: a table that refuses writers while it holds
 * 1 MB in memory, and flushes that only when its files have been compacted; {@code split TABLE KEY…}, keys in hex; {@code regions
 * TABLE KEY…}: a table with family d whose regions begin there; {@code compact TABLE}: flushed and compacted into one file.
 */
public class Admin {
  public static void main(String[] arguments) throws Exception {
    try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
        org.apache.hadoop.hbase.client.Admin admin = connection.getAdmin()) {
      switch (arguments[0]) {
        case "namespace" -> admin.createNamespace(NamespaceDescriptor.create(arguments[1]).build());
        case "busy" -> admin.createTable(TableDescriptorBuilder.newBuilder(TableName.valueOf(arguments[1]))
            .setColumnFamily(ColumnFamilyDescriptorBuilder.of("d"))
            .setValue("hbase.hregion.memstore.block.multiplier", "1").setMemStoreFlushSize(1 << 20)
            .setValue("hbase.hstore.blockingStoreFiles", "1").setValue("hbase.hstore.compaction.min", "2").build());
        case "split" -> {
          for (String key : List.of(arguments).subList(2, arguments.length)) {
            admin.split(TableName.valueOf(arguments[1]), Bytes.fromHex(key));
            Thread.sleep(3000);
          }
        }
        case "regions" -> admin.createTable(TableDescriptorBuilder.newBuilder(TableName.valueOf(arguments[1]))
            .setColumnFamily(ColumnFamilyDescriptorBuilder.of("d")).build(),
            List.of(arguments).subList(2, arguments.length).stream().map(Bytes::fromHex).toArray(byte[][]::new));
        case "compact" -> {
          TableName table = TableName.valueOf(arguments[1]);
          admin.flush(table);
          admin.majorCompact(table);
          for (int i = 0; i < 300; i++) {
            Thread.sleep(200);
            if (admin.getCompactionState(table) == CompactionState.NONE && i > 4) {
              return;
            }
          }
          throw new IllegalStateException("not compacted");
        }
        default -> throw new IllegalArgumentException(arguments[0]);
      }
    }
  }
}
