import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * What HBase's own {@code Bytes} makes of cells. A line of stdin is {@code type hex} (hex may be empty); the answer to it is
 * {@code value again}: the value as text (of text: its UTF-8 in hexadecimal), and the bytes that {@code Bytes.toBytes} gives
 * for that value, in hexadecimal.
 */
public class BytesOracle {
  public static void main(String[] arguments) throws Exception {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ", 2);
      out.println(answer(words[0], Bytes.fromHex(words[1])));
    }
    out.flush();
  }

  private static String answer(String type, byte[] cell) {
    switch (type) {
      case "int16":
        return Bytes.toShort(cell) + " " + hex(Bytes.toBytes(Bytes.toShort(cell)));
      case "int32":
        return Bytes.toInt(cell) + " " + hex(Bytes.toBytes(Bytes.toInt(cell)));
      case "int64":
        return Bytes.toLong(cell) + " " + hex(Bytes.toBytes(Bytes.toLong(cell)));
      case "float64":
        return Bytes.toDouble(cell) + " " + hex(Bytes.toBytes(Bytes.toDouble(cell)));
      case "boolean":
        return Bytes.toBoolean(cell) + " " + hex(Bytes.toBytes(Bytes.toBoolean(cell)));
      case "decimal":
        BigDecimal number = Bytes.toBigDecimal(cell);
        return number.toPlainString() + " " + hex(Bytes.toBytes(number));
      case "date":
        LocalDate day = Instant.ofEpochMilli(Bytes.toLong(cell)).atOffset(ZoneOffset.UTC).toLocalDate();
        return day + " " + hex(Bytes.toBytes(day.atStartOfDay().toInstant(ZoneOffset.UTC).toEpochMilli()));
      case "timestamp":
        Instant instant = Instant.ofEpochMilli(Bytes.toLong(cell));
        return instant.getEpochSecond() + "." + instant.getNano() + " " + hex(Bytes.toBytes(instant.toEpochMilli()));
      case "text":
        String text = Bytes.toString(cell);
        return hex(text.getBytes(StandardCharsets.UTF_8)) + " " + hex(Bytes.toBytes(text));
      default:
        throw new IllegalArgumentException(type);
    }
  }

  private static String hex(byte[] bytes) {
    return Bytes.toHex(Arrays.copyOf(bytes, bytes.length));
  }
}
