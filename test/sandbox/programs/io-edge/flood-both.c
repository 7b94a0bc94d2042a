/*
 * Floods both streams at once.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  if (fork() == 0) for (;;) write(2, block, sizeof block);
  for (;;) write(1, block, sizeof block);
  return 0;
}
