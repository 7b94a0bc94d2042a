/*
 * Fills anonymous files that no directory shows.
 */
#include "../attack.h"

static char block[1 << 20];

int main(void) {
  for (;;) write(memfd_create("x\ny", 0), block, sizeof block);
  return 0;
}
