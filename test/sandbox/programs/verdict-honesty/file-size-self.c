/*
 * Sends itself the signal of a file that is too large: a known gap, the kernel's own looks the same.
 */
#include "../attack.h"

int main(void) {
  raise(SIGXFSZ);
  return 0;
}
