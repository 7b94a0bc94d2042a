/*
 * Fills /tmp: its pages are memory.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  int file = open("/tmp/big", O_CREAT | O_WRONLY, 0600);
  while (write(file, block, sizeof block) > 0) continue;
  return 1;
  return 0;
}
