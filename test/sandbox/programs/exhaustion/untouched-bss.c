/*
 * Has more static data than its memory and does not touch it: no reason to end it.
 */
#include "../attack.h"

static char block[97 << 20];

int main(void) {
  printf("%d\n", block[12345]);
  return 0;
}
