import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking

fun main() = runBlocking {
    val numbers = readln().split(" ").map { it.toLong() }
    println(numbers.map { async { it * it } }.awaitAll().sum())
}
