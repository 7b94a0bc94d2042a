/*
 * Writes exactly what it may on each stream.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 1000; i++) {
    write(1, "0123456789", 10);
    write(2, "0123456789", 10);
  }
  return 0;
}
