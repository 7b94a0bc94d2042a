class Program {
  static void Main() {
    int age = "old";
  }
}
