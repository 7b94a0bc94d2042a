/*
 * Asks where its memory lies physically.
 */
#include "../attack.h"

int main(void) {
  uint64_t entry = 0;
  static char page[8192];
  page[4096] = 1;
  int map = open("/proc/self/pagemap", O_RDONLY);
  pread(map, &entry, sizeof entry, (uintptr_t)(page + 4096) / 4096 * 8);
  printf("%lx\n", (unsigned long)(entry & ((1UL << 55) - 1)));
  return 0;
}
