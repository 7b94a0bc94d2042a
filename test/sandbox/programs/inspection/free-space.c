/*
 * Asks how much room there is: its own limit, not the host's.
 */
#include "../attack.h"

int main(void) {
  struct statfs space;
  statfs(".", &space);
  printf("%ld\n", (long)(space.f_bfree * space.f_bsize));
  return 0;
}
