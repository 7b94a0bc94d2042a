/*
 * Touches one page of every two megabytes: page tables.
 */
#include "../attack.h"

int main(void) {
  for (unsigned long at = 1UL << 33;; at += 1UL << 21)
    if (mmap((void *)at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0) == MAP_FAILED) break;
  say(strerrorname_np(errno));
  return 0;
}
