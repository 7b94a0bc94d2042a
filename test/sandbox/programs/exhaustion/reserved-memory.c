/*
 * Reserves 1 TB of addresses, as runtimes do, and uses none.
 */
#include "../attack.h"

int main(void) {
  void *all = mmap(0, 1UL << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  say(all == MAP_FAILED ? "refused" : "reserved");
  return 0;
}
