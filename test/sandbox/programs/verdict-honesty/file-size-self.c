/*
 * Sends itself the signal of a file that is too large: no file is, so it is a signal like any other.
 */
#include "../attack.h"

int main(void) {
  int file = open("f", O_CREAT | O_WRONLY, 0600);
  if (write(file, "small", 5) != 5) return 1;
  raise(SIGXFSZ);
  return 0;
}
