package io.grpc.testing.integration;

import java.lang.reflect.Method;
import java.util.Arrays;

/**
 * Runs cases of grpc-java's interop client one after another in one JVM, since most of a case's time is the start of
 * one: {@code InteropCases PORT CASE...}. Prints a line "case NAME OUTCOME" for each.
 */
public final class InteropCases {
  public static void main(String[] args) throws Exception {
    for (String name : Arrays.asList(args).subList(1, args.length)) {
      System.out.println("case " + name + " " + outcome(args[0], name).replaceAll("\\s+", " "));
    }
    System.exit(0);
  }

  private static String outcome(String port, String name) throws Exception {
    TestServiceClient client = new TestServiceClient();
    client.parseArgs(new String[] {
      "--server_host=127.0.0.1", "--server_port=" + port, "--use_tls=false", "--test_case=" + name,
      "--soak_iterations=20", "--soak_max_failures=0", "--soak_per_iteration_max_acceptable_latency_ms=60000",
    });
    client.setUp();
    try {
      call(client, "run");
      return "passed";
    } catch (ReflectiveOperationException thrown) {
      return String.valueOf(thrown.getCause() == null ? thrown : thrown.getCause());
    } finally {
      call(client, "tearDown");
    }
  }

  private static void call(TestServiceClient client, String name) throws ReflectiveOperationException {
    Method method = TestServiceClient.class.getDeclaredMethod(name);
    method.setAccessible(true);
    method.invoke(client);
  }
}
