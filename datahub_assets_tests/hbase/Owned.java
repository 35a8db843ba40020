import java.util.Arrays;

/** Runs the main class that it is given, in a JVM that ends with the process {@code -Downer=…}, however that one ends. */
public class Owned {
  public static void main(String[] arguments) throws Exception {
    Long owner = Long.getLong("owner");
    if (owner != null) {
      ProcessHandle.of(owner).ifPresentOrElse(
          process -> process.onExit().thenRun(() -> Runtime.getRuntime().halt(0)), () -> Runtime.getRuntime().halt(0));
    }
    String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
    Class.forName(arguments[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
  }
}
