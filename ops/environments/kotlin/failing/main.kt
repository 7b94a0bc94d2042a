fun main() {
    val text: String = null
    println(text)
}
