#include <gmpxx.h>
#include <iostream>

int main() {
  unsigned n = 0;
  std::cin >> n;
  mpz_class product = 1;
  for (unsigned factor = 2; factor <= n; ++factor) product *= factor;
  std::cout << n << "! = " << product << "\n";
}
