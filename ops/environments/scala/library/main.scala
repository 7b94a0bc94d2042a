@main def names(): Unit =
  val people = ujson.read(scala.io.StdIn.readLine()).arr
  println(people.map(_("name").str).sorted.mkString(", "))
