/*
 * Makes all memory executable by its personality.
 */
#include "../attack.h"

int main(void) {
  TRY("READ_IMPLIES_EXEC", personality(READ_IMPLIES_EXEC));
  TRY("32 bits", personality(PER_LINUX32 | READ_IMPLIES_EXEC));
  TRY("high bits", syscall(SYS_personality, 0x100000000UL | READ_IMPLIES_EXEC));
  TRY("SVR4", personality(PER_SVR4));
  TRY("null page", (long)mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? -1 : 0);
  printf("%x\n", personality(0xffffffff));
  return 0;
}
