import regex
import std/[algorithm, sequtils, strutils]

let text = stdin.readAll()
var words = text.findAll(re"\w+").mapIt(text[it.boundaries])
words.sort()
echo words.join(", ")
