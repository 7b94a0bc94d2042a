import mir.utility : max;
import std.algorithm : map, reduce;
import std.conv : to;
import std.stdio;
import std.string : split;

void main() {
  writeln(readln().split.map!(to!int).reduce!((a, b) => max(a, b)));
}
