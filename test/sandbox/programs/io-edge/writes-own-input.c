/*
 * Writes into its own input, so that more lies in it than it was given.
 */
#include "../attack.h"

static char block[4096];

int main(void) {
  int back = open("/proc/self/fd/0", O_WRONLY | O_NONBLOCK);
  printf("%d\n", back >= 0 && write(back, block, sizeof block) > 0);
  return 0;
}
