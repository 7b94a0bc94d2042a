/*
 * Makes its output non-blocking and larger, and fills it.
 */
#include "../attack.h"

static char block[1000];

int main(void) {
  fcntl(1, F_SETFL, O_NONBLOCK);
  fcntl(1, F_SETPIPE_SZ, 1 << 20);
  long all = 0;
  while (all < 300000) {
    long wrote = write(1, block, sizeof block);
    if (wrote > 0) all += wrote;
  }
  return 0;
}
