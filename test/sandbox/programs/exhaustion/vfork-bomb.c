/*
 * Forks by vfork, whose parents wait in the kernel.
 */
#include "../attack.h"

int main(void) {
  for (;;)
    if (vfork() == 0) continue;
  return 0;
}
