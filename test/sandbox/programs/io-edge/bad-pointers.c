/*
 * Gives the kernel pointers that lead nowhere.
 */
#include "../attack.h"

int main(void) {
  TRY("open", syscall(SYS_openat, AT_FDCWD, 0, 0));
  TRY("high", syscall(SYS_openat, AT_FDCWD, 0xffffffff80000000UL, 0));
  TRY("write", write(1, (void *)1, 100));
  TRY("exec", execve((void *)1, 0, 0));
  return 0;
}
