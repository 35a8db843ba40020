import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.hbase.thirdparty.com.google.gson.JsonArray;
import org.apache.hbase.thirdparty.com.google.gson.JsonElement;
import org.apache.hbase.thirdparty.com.google.gson.JsonNull;
import org.apache.hbase.thirdparty.com.google.gson.JsonObject;
import org.apache.hbase.thirdparty.com.google.gson.JsonParser;
import org.apache.hbase.thirdparty.com.google.gson.JsonPrimitive;

/**
 * Rows of structured tables, read by somebody who has docs/formats/ and a JDK. {@code RowReader FILE…}: files of golden vectors;
 * a line of JSON for each vector: what its key and packed value say, what its key and cells say, T, and the canonical bytes.
 */
public class RowReader {
  private static final DateTimeFormatter INSTANT =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);

  public static void main(String[] arguments) throws Exception {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String file : arguments) {
      JsonObject document = JsonParser.parseString(Files.readString(Path.of(file), StandardCharsets.UTF_8)).getAsJsonObject();
      Map<Integer, Contract> contracts = contracts(document.getAsJsonArray("contracts"));
      for (JsonElement each : document.getAsJsonArray("vectors")) {
        out.println(vector(contracts, each.getAsJsonObject(), document.get("salt_buckets").getAsInt()));
      }
    }
    out.flush();
  }

  private static JsonObject vector(Map<Integer, Contract> contracts, JsonObject vector, int buckets) {
    byte[] key = Bytes.fromHex(vector.get("row_key").getAsString());
    byte[] value = Bytes.fromHex(vector.get("value").getAsString());
    Map<String, byte[]> cells = new HashMap<>();
    vector.getAsJsonObject("cells").entrySet().forEach(e -> cells.put(e.getKey(), Bytes.fromHex(e.getValue().getAsString())));
    JsonObject found = new JsonObject();
    found.add("name", vector.get("name"));
    found.add("packed", packed(contracts, key, value, buckets));
    found.add("cells", cells(contracts, key, cells, buckets));
    found.addProperty("canonical", Bytes.toHex(canonical(contracts, key, value, buckets)));
    return found;
  }

  // -- contract.md -------------------------------------------------------------------------------------------------------

  record Column(int id, String name, String type) {
    boolean isText() {
      return type.equals("text");
    }

    int scale() {
      return Integer.parseInt(type.substring(type.indexOf(',') + 1, type.length() - 1));
    }

    String kind() {
      return type.startsWith("decimal") ? "decimal" : type;
    }
  }

  record Contract(int version, boolean snapshot, List<Column> key, List<Column> values) {}

  private static Map<Integer, Contract> contracts(JsonArray documents) {
    Map<Integer, Contract> found = new HashMap<>();
    for (JsonElement each : documents) {
      JsonObject document = each.getAsJsonObject();
      boolean snapshot = document.get("shape").getAsString().equals("snapshot");
      Map<String, Column> columns = new LinkedHashMap<>();
      for (JsonElement one : document.getAsJsonArray("columns")) {
        JsonObject column = one.getAsJsonObject();
        String name = column.get("name").getAsString();
        columns.put(name, new Column(column.get("id").getAsInt(), name, column.get("type").getAsString()));
      }
      List<Column> key = new ArrayList<>();
      document.getAsJsonArray("key").forEach(name -> key.add(columns.remove(name.getAsString())));
      columns.remove(snapshot ? "business_date" : "valid_from");
      int version = document.get("version").getAsInt();
      found.put(version, new Contract(version, snapshot, key, new ArrayList<>(columns.values())));
    }
    return found;
  }

  // -- row-key.md --------------------------------------------------------------------------------------------------------

  /** The row key's parts: what they say goes into {@code row}; the key columns' own bytes are kept. */
  private static byte[] readKey(Contract contract, byte[] key, int buckets, JsonObject row) {
    ByteBuffer rest = ByteBuffer.wrap(key);
    int salt = buckets > 0 ? rest.get() & 0xff : -1;
    long writeId = 0;
    if (contract.snapshot()) {
      row.addProperty("business_date", ascii(rest, 10));
      writeId = rest.getLong();
    }
    int from = rest.position();
    for (int i = 0; i < contract.key().size(); i++) {
      Column column = contract.key().get(i);
      String next = i + 1 < contract.key().size() ? contract.key().get(i + 1).type() : "";
      row.addProperty(column.name(), keyColumn(rest, column, next.equals("int32") || next.equals("int64")));
    }
    byte[] columns = Arrays.copyOfRange(key, from, rest.position());
    if (!contract.snapshot()) {
      row.addProperty("valid_from", ascii(rest, 10));
      writeId = ~rest.getLong();
    }
    require(!rest.hasRemaining(), "row key is longer than its parts");
    require(salt < 0 || salt == (salt(columns, buckets) & 0xff), "salt");
    row.addProperty("_write_id", Long.toUnsignedString(writeId));
    return columns;
  }

  private static String keyColumn(ByteBuffer rest, Column column, boolean beforeInteger) {
    switch (column.type()) {
      case "text":
        java.io.ByteArrayOutputStream text = new java.io.ByteArrayOutputStream();
        for (byte each = rest.get(); ; each = rest.get()) {
          if (each == 0) {
            if (!rest.hasRemaining() || rest.get(rest.position()) != (byte) 0xff) {
              break;
            }
            rest.get();
          }
          text.write(each);
        }
        require(!beforeInteger || rest.get() == 1, "pad byte");
        return utf8(text.toByteArray());
      case "int32":
        return Integer.toString(rest.getInt() ^ 0x80000000);
      case "int64":
        return Long.toString(rest.getLong() ^ 0x8000000000000000L);
      case "date":
        return ascii(rest, 10);
      default:
        throw new IllegalArgumentException(column.type() + " in a key");
    }
  }

  static byte salt(byte[] keyColumns, int buckets) {
    int h = Arrays.hashCode(keyColumns);
    h ^= h >>> 16;
    h *= 0x85ebca6b;
    h ^= h >>> 13;
    h *= 0xc2b2ae35;
    h ^= h >>> 16;
    return (byte) Integer.remainderUnsigned(h, buckets);
  }

  // -- packed.md ---------------------------------------------------------------------------------------------------------

  private static JsonObject packed(Map<Integer, Contract> contracts, byte[] key, byte[] value, int buckets) {
    JsonObject row = new JsonObject();
    Contract contract = header(contracts, value, row);
    readKey(contract, key, buckets, row);
    List<Column> columns = contract.values();
    ByteBuffer fixed = ByteBuffer.wrap(value).position(12);
    byte[] nulls = take(fixed, (columns.size() + 7) / 8);
    Map<Column, JsonElement> found = new HashMap<>();
    for (Column column : columns) {
      if (!column.isText()) {
        found.put(column, new JsonPrimitive(fixedValue(fixed, column)));
      }
    }
    Map<Column, Integer> lengths = new LinkedHashMap<>();
    columns.stream().filter(Column::isText).forEach(column -> lengths.put(column, fixed.getInt()));
    lengths.forEach((column, length) -> found.put(column, new JsonPrimitive(utf8(take(fixed, length)))));
    require(!fixed.hasRemaining(), "value is longer than its parts");
    for (int i = 0; i < columns.size(); i++) {
      boolean isNull = (nulls[i >> 3] >> (i & 7) & 1) == 1;
      row.add(columns.get(i).name(), isNull ? JsonNull.INSTANCE : found.get(columns.get(i)));
    }
    return row;
  }

  /** The 12 bytes that both layouts have; the contract that they name. */
  private static Contract header(Map<Integer, Contract> contracts, byte[] bytes, JsonObject row) {
    require(bytes.length >= 12 && bytes[0] == 1, "format version");
    ByteBuffer header = ByteBuffer.wrap(bytes);
    Contract contract = contracts.get(header.getShort(2) & 0xffff);
    require(contract != null, "contract version");
    row.addProperty("_delivery", header.getInt(4) & 0xffffffffL);
    row.addProperty("_line", header.getInt(8) & 0xffffffffL);
    if (!contract.snapshot()) {
      row.addProperty("_withdrawn", (header.get(1) & 1) == 1);
    }
    return contract;
  }

  private static String fixedValue(ByteBuffer fixed, Column column) {
    switch (column.kind()) {
      case "int32":
        return Integer.toString(fixed.getInt());
      case "int64":
        return Long.toString(fixed.getLong());
      case "float64":
        return Double.toString(fixed.getDouble());
      case "decimal":
        return new BigDecimal(new BigInteger(take(fixed, 16)), column.scale()).toPlainString();
      case "boolean":
        return Boolean.toString(fixed.get() == 1);
      case "date":
        return LocalDate.ofEpochDay(fixed.getInt()).toString();
      case "timestamp":
        return instant(fixed.getLong());
      default:
        throw new IllegalArgumentException(column.type());
    }
  }

  // -- cells.md ----------------------------------------------------------------------------------------------------------

  private static JsonObject cells(Map<Integer, Contract> contracts, byte[] key, Map<String, byte[]> cells, int buckets) {
    JsonObject row = new JsonObject();
    Contract contract = header(contracts, cells.get("m:s"), row);
    readKey(contract, key, buckets, row);
    for (Column column : contract.values()) {
      byte[] cell = cells.get("d:" + column.name());
      byte[] left = cells.get("m:" + column.name() + ".us");
      row.add(column.name(), cell == null ? JsonNull.INSTANCE : new JsonPrimitive(cellValue(column, cell, left)));
    }
    return row;
  }

  private static String cellValue(Column column, byte[] cell, byte[] left) {
    switch (column.kind()) {
      case "text":
        return Bytes.toString(cell);
      case "int32":
        return Integer.toString(Bytes.toInt(cell));
      case "int64":
        return Long.toString(Bytes.toLong(cell));
      case "float64":
        return Double.toString(Bytes.toDouble(cell));
      case "decimal":
        return Bytes.toBigDecimal(cell).toPlainString();
      case "boolean":
        return Boolean.toString(Bytes.toBoolean(cell));
      case "date":
        return Instant.ofEpochMilli(Bytes.toLong(cell)).atOffset(ZoneOffset.UTC).toLocalDate().toString();
      case "timestamp":
        return instant(Bytes.toLong(cell) * 1000 + (left == null ? 0 : Bytes.toShort(left)));
      default:
        throw new IllegalArgumentException(column.type());
    }
  }

  // -- digest.md ---------------------------------------------------------------------------------------------------------

  private static byte[] canonical(Map<Integer, Contract> contracts, byte[] key, byte[] value, int buckets) {
    JsonObject row = new JsonObject();
    Contract contract = header(contracts, value, row);
    byte[] columns = readKey(contract, key, buckets, row);
    byte[] validity = new byte[0];
    if (!contract.snapshot()) {
      byte[] from = row.get("valid_from").getAsString().getBytes(StandardCharsets.US_ASCII);
      validity = Bytes.add(from, new byte[] {(byte) (row.get("_withdrawn").getAsBoolean() ? 1 : 0)});
    }
    return Bytes.add(columns, validity, Arrays.copyOfRange(value, 12, value.length));
  }

  // -- bytes -------------------------------------------------------------------------------------------------------------

  private static byte[] take(ByteBuffer from, int length) {
    require(length >= 0 && length <= from.remaining(), "fewer bytes than it says");
    byte[] bytes = new byte[length];
    from.get(bytes);
    return bytes;
  }

  private static String ascii(ByteBuffer from, int length) {
    return new String(take(from, length), StandardCharsets.US_ASCII);
  }

  private static String utf8(byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException problem) {
      throw new IllegalArgumentException("text is not UTF-8", problem);
    }
  }

  private static String instant(long microseconds) {
    long seconds = Math.floorDiv(microseconds, 1_000_000L);
    return INSTANT.format(Instant.ofEpochSecond(seconds, Math.floorMod(microseconds, 1_000_000L) * 1000L));
  }

  private static void require(boolean good, String what) {
    if (!good) {
      throw new IllegalArgumentException("corrupt row: " + what);
    }
  }
}
