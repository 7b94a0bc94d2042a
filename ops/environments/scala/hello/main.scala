@main def hello(): Unit =
  println("Hello, world!")
