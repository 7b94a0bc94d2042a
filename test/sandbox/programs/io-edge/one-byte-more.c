/*
 * Writes one byte more than it may.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 1000; i++) write(1, "0123456789", 10);
  write(1, "x", 1);
  pause();
  return 0;
}
