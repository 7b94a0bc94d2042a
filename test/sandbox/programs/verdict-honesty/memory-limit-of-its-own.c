/*
 * Gives itself an address space that is too small, and crashes for want of memory: not the limit that it was given.
 */
#include "../attack.h"

int main(void) {
  setrlimit(RLIMIT_AS, &(struct rlimit){8 << 20, 8 << 20});
  volatile char *memory = malloc(64 << 20);
  memory[0] = 1;
  return 0;
}
