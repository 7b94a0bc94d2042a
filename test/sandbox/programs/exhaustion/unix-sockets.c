/*
 * Fills Unix sockets that nobody reads.
 */
#include "../attack.h"

static char block[1 << 14];

int main(void) {
  int ends[2];
  while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0)
    while (write(ends[0], block, sizeof block) > 0) continue;
  return 1;
  return 0;
}
