import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.LocalDate;
import java.util.*;
import org.postgresql.PGConnection;

/** Asks a server through JDBC what tools ask, and prints each answer as a line: name, tab, answer. */
public class Jdbc {
  interface Asked { Object answer() throws Exception; }

  static void tell(String name, Asked asked) {
    String answer;
    try {
      answer = String.valueOf(asked.answer());
    } catch (SQLException error) {
      answer = "SQLSTATE " + error.getSQLState();
    } catch (Exception error) {
      answer = error.toString();
    }
    System.out.println(name + "\t" + answer.replace("\n", "\\n"));
  }

  /** All rows of an answer; some columns only, where names are given. */
  static List<List<Object>> rows(ResultSet found, String... names) throws SQLException {
    List<List<Object>> rows = new ArrayList<>();
    int columns = found.getMetaData().getColumnCount();
    while (found.next()) {
      List<Object> row = new ArrayList<>();
      if (names.length > 0) {
        for (String name : names) row.add(found.getObject(name));
      } else {
        for (int i = 1; i <= columns; i++) row.add(plain(found.getObject(i)));
      }
      rows.add(row);
    }
    return rows;
  }

  static Object plain(Object value) throws SQLException {
    if (value instanceof byte[] bytes) return Arrays.toString(bytes);
    if (value instanceof java.sql.Array array) return Arrays.toString((Object[]) array.getArray());
    return value;
  }

  public static void main(String[] arguments) throws Exception {
    TimeZone.setDefault(TimeZone.getTimeZone("Europe/Paris"));
    Locale.setDefault(Locale.ROOT);
    for (String mode : new String[] {"extended", "simple", "extendedForPrepared"}) {
      Properties properties = new Properties();
      properties.setProperty("user", arguments[1]);
      properties.setProperty("password", arguments[2]);
      properties.setProperty("preferQueryMode", mode);
      properties.setProperty("prepareThreshold", "2");
      try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
        if (mode.equals("extended")) metadata(connection);
        statements(mode + ": ", connection);
        transactions(mode + ": ", connection);
      }
    }
  }

  static void metadata(Connection connection) throws SQLException {
    DatabaseMetaData known = connection.getMetaData();
    tell("product", known::getDatabaseProductName);
    tell("catalogs", () -> rows(known.getCatalogs()));
    tell("schemas", () -> {
      List<List<Object>> found = rows(known.getSchemas(null, "p%"), "TABLE_SCHEM");
      return found;
    });
    tell("tables", () -> rows(known.getTables(null, "px", "%", new String[] {"TABLE"}), "TABLE_SCHEM", "TABLE_NAME", "REMARKS"));
    tell("columns", () -> rows(known.getColumns(null, "px", "prices", "%"), "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE",
        "TYPE_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS", "NULLABLE", "REMARKS", "COLUMN_DEF", "ORDINAL_POSITION", "IS_NULLABLE",
        "IS_AUTOINCREMENT", "IS_GENERATEDCOLUMN"));
    tell("primary keys", () -> rows(known.getPrimaryKeys(null, "px", "prices"), "TABLE_NAME", "COLUMN_NAME", "KEY_SEQ", "PK_NAME"));
    tell("indexes", () -> rows(known.getIndexInfo(null, "px", "prices", true, true), "NON_UNIQUE", "INDEX_NAME", "TYPE",
        "ORDINAL_POSITION", "COLUMN_NAME", "ASC_OR_DESC"));
    tell("imported keys", () -> rows(known.getImportedKeys(null, "px", "prices")));
    tell("exported keys", () -> rows(known.getExportedKeys(null, "px", "prices")));
    tell("best row", () -> rows(known.getBestRowIdentifier(null, "px", "prices", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME"));
    tell("type of int4", () -> {
      try (ResultSet types = known.getTypeInfo()) {
        while (types.next()) if (types.getString("TYPE_NAME").equals("int4")) return types.getInt("DATA_TYPE");
      }
      return "none";
    });
    tell("procedures", () -> rows(known.getProcedures(null, "px", "%")));
    tell("user", known::getUserName);
    tell("table types", () -> rows(known.getTableTypes()).contains(List.of("TABLE")));
    tell("catalog", connection::getCatalog);
    tell("isolation", () -> { connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE); return "set"; });
    tell("valid", () -> connection.isValid(5));
  }

  static void statements(String mode, Connection connection) throws SQLException {
    tell(mode + "prices", () -> rows(connection.createStatement().executeQuery("SELECT * FROM px.prices ORDER BY 1, 2")));
    tell(mode + "types", () -> rows(connection.createStatement().executeQuery(
        "SELECT true AS a, 1::smallint AS b, 2147483647 AS c, 1::bigint AS d, 1.5::double precision AS e, 1.25::numeric(10,2) AS f,"
        + " 'x'::text AS g, date '2024-02-29' AS h, timestamp '2024-02-29 10:11:12.5' AS i,"
        + " timestamptz '2024-02-29 10:11:12+00' AS j, NULL::integer AS k, array[1,2] AS l")));
    String asked = "SELECT count(*) FROM px.prices WHERE business_date >= ? AND price > ? AND volume = ? AND ticker <> ?";
    for (int i = 0; i < 4; i++) {  // the third time on the server has it prepared, with binary values
      tell(mode + "prepared " + i, () -> {
        try (PreparedStatement prepared = connection.prepareStatement(asked)) {
          for (int again = 0; again < 4; again++) {
            prepared.setDate(1, java.sql.Date.valueOf("2013-01-03"));
            prepared.setBigDecimal(2, new BigDecimal("10.5"));
            prepared.setLong(3, 100);
            prepared.setString(4, "A");
            try (ResultSet found = prepared.executeQuery()) {
              found.next();
              if (again == 3) return found.getLong(1);
            }
          }
          return "none";
        }
      });
    }
    tell(mode + "local date", () -> {
      PreparedStatement prepared = connection.prepareStatement("SELECT count(*) FROM px.prices WHERE business_date = ?");
      prepared.setObject(1, LocalDate.of(2013, 1, 3));
      return rows(prepared.executeQuery());
    });
    tell(mode + "text of a date", () -> {
      PreparedStatement prepared = connection.prepareStatement("SELECT count(*) FROM px.prices WHERE business_date = ?::date");
      prepared.setString(1, "2013-01-03");
      return rows(prepared.executeQuery());
    });
    if (!mode.startsWith("simple")) tell(mode + "array", () -> {
      PreparedStatement prepared = connection.prepareStatement("SELECT count(*) FROM px.prices WHERE ticker = ANY (?)");
      prepared.setArray(1, connection.createArrayOf("text", new String[] {"A", "HIDDENB"}));
      return rows(prepared.executeQuery());
    });
    tell(mode + "null", () -> {
      PreparedStatement prepared = connection.prepareStatement("SELECT count(*) FROM px.prices WHERE volume = ?");
      prepared.setNull(1, Types.BIGINT);
      return rows(prepared.executeQuery());
    });
    tell(mode + "no relation", () -> rows(connection.createStatement().executeQuery("SELECT * FROM px.nothing")));
    tell(mode + "no column", () -> rows(connection.createStatement().executeQuery("SELECT nothing FROM px.prices")));
    tell(mode + "no SQL", () -> rows(connection.createStatement().executeQuery("SELEC 1")));
    tell(mode + "no number", () -> rows(connection.createStatement().executeQuery("SELECT 'x'::integer")));
    tell(mode + "copied", () -> {
      StringWriter written = new StringWriter();
      connection.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (SELECT * FROM px.prices ORDER BY 1, 2) TO STDOUT (FORMAT csv, HEADER)", written);
      return written;
    });
    tell(mode + "columns of an answer", () -> {
      ResultSetMetaData columns = connection.prepareStatement("SELECT business_date, price, count(*) FROM px.prices GROUP BY 1, 2").getMetaData();
      List<String> found = new ArrayList<>();
      for (int i = 1; i <= columns.getColumnCount(); i++)
        found.add(columns.getColumnName(i) + " " + columns.getColumnTypeName(i) + " " + columns.getPrecision(i) + " " + columns.getScale(i));
      return found;
    });
  }

  static void transactions(String mode, Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    tell(mode + "by pieces", () -> {
      Statement statement = connection.createStatement();
      statement.setFetchSize(4);
      return rows(statement.executeQuery("SELECT ticker, price FROM px.prices ORDER BY business_date, ticker"));
    });
    tell(mode + "savepoint", () -> {
      Savepoint place = connection.setSavepoint("here");
      try {
        connection.createStatement().executeQuery("SELECT nothing FROM px.prices");
      } catch (SQLException error) {
        connection.rollback(place);
      }
      return rows(connection.createStatement().executeQuery("SELECT count(*) FROM px.prices"));
    });
    tell(mode + "failed", () -> {
      try {
        connection.createStatement().executeQuery("SELECT nothing FROM px.prices");
      } catch (SQLException error) {
        return rows(connection.createStatement().executeQuery("SELECT 1"));
      }
      return "none";
    });
    connection.rollback();
    tell(mode + "after", () -> rows(connection.createStatement().executeQuery("SELECT 1 AS one")));
    connection.commit();
    connection.setAutoCommit(true);
  }
}
