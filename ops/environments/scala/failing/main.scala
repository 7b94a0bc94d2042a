@main def failing(): Unit =
  println(List.empty[Int].head)
