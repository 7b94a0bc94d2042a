/*
 * Talks to the hardware.
 */
#include "../attack.h"

int main(void) {
  #ifdef __x86_64__
  TRY("iopl", syscall(SYS_iopl, 3));
  TRY("ioperm", syscall(SYS_ioperm, 0x70, 2, 1));
  TRY("ldt", syscall(SYS_modify_ldt, 0, 0, 0));
  #endif
  TRY("msr", open("/dev/cpu/0/msr", O_RDONLY));
  return 0;
}
