import com.google.gson.Gson;
import java.io.InputStreamReader;
import java.util.TreeMap;

public class Main {
  public static void main(String[] words) {
    TreeMap<?, ?> ages = new Gson().fromJson(new InputStreamReader(System.in), TreeMap.class);
    ages.forEach((name, age) -> System.out.println(name + " " + age));
  }
}
