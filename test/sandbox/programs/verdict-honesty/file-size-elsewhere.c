/*
 * Writes a file that is too large where shared memory is, below directories of its own.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  mkdir("/dev/shm/a", 0700);
  mkdir("/dev/shm/a/b", 0700);
  int file = open("/dev/shm/a/b/f", O_CREAT | O_WRONLY, 0600);
  while (write(file, block, sizeof block) > 0) continue;
  return 0;
}
