/*
 * Shares its pages with children: they count once.
 */
#include "../attack.h"

static char block[20 << 20];

int main(void) {
  memset(block, 1, sizeof block);
  for (int i = 0; i < 8; i++)
    if (fork() == 0) {
      volatile int sum = 0;
      for (size_t at = 0; at < sizeof block; at += 4096) sum += block[at];
      _exit(0);
    }
  while (wait(NULL) > 0) continue;
  return 0;
}
