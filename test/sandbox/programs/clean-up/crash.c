/*
 * Crashes with much memory: no core is written, no handler of the host started.
 */
#include "../attack.h"

static char block[16 << 20];

int main(void) {
  memset(block, 1, sizeof block);
  *(volatile int *)0 = 1;
  return 0;
}
