// JDBC: statements prepared on the server, batches and fetch sizes.
import java.sql.*;
import java.util.*;
import java.util.concurrent.atomic.*;
public class Client {
  static final AtomicBoolean stop = new AtomicBoolean();
  static final List<String> failed = Collections.synchronizedList(new ArrayList<>());
  static void work(int worker) {
    String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE") + "?prepareThreshold=3";
    try (Connection connection = DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
      PreparedStatement insert = connection.prepareStatement("INSERT INTO tally (worker, n) VALUES (?, ?)");
      for (int n = 0; !stop.get(); n += 4) {
        insert.setInt(1, worker);
        insert.setInt(2, n);
        insert.executeUpdate();
        connection.setAutoCommit(false);
        for (int more = 1; more < 4; more++) {
          insert.setInt(1, worker);
          insert.setInt(2, n + more);
          insert.addBatch();
        }
        insert.executeBatch();
        Statement rows = connection.createStatement();
        rows.setFetchSize(7);
        int count = 0;
        try (ResultSet set = rows.executeQuery("SELECT generate_series(1, 30)")) { while (set.next()) count++; }
        if (count != 30) throw new SQLException("rows are missing");
        connection.commit();
        connection.setAutoCommit(true);
        synchronized (System.out) {
          for (int more = 0; more < 4; more++) System.out.println(worker + "/" + (n + more));
          System.out.flush();
        }
      }
    } catch (Exception error) {
      failed.add(error.toString());
    }
  }
  public static void main(String[] args) throws Exception {
    List<Thread> threads = new ArrayList<>();
    for (int worker = 1; worker <= 3; worker++) {
      int own = worker;
      Thread thread = new Thread(() -> work(own));
      threads.add(thread);
      thread.start();
    }
    while (System.in.read() >= 0) {}
    stop.set(true);
    for (Thread thread : threads) thread.join();
    if (!failed.isEmpty()) { System.err.println(failed); System.exit(1); }
  }
}
