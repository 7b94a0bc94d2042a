#include <testlib.h>

int main() {
  std::cout << "Hello, world!\n";
}
