using System;
using System.Numerics;

class Program {
  static void Main() {
    var product = BigInteger.One;
    for (var factor = int.Parse(Console.ReadLine()); factor > 1; factor--) product *= factor;
    Console.WriteLine(product);
  }
}
