/*
 * Uses the ring whose operations no filter sees.
 */
#include "../attack.h"

int main(void) {
  char parameters[256] = {0};
  TRY("setup", syscall(SYS_io_uring_setup, 8, parameters));
  TRY("enter", syscall(SYS_io_uring_enter, 0, 1, 0, 0, 0, 0));
  TRY("register", syscall(SYS_io_uring_register, 0, 0, 0, 0));
  return 0;
}
