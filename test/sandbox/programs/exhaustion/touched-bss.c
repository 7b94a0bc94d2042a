/*
 * Touches more static data than its memory.
 */
#include "../attack.h"

static char block[96 << 20];

int main(void) {
  memset(block, 1, sizeof block);
  return 0;
}
