/*
 * Locks memory so that it can't be reclaimed.
 */
#include "../attack.h"

static char block[1 << 20];

int main(void) {
  TRY("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE));
  TRY("mlock", mlock(block, sizeof block));
  return 0;
}
