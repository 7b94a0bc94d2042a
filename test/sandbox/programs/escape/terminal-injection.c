/*
 * Types into a terminal, with high bits that a filter may overlook (CVE-2019-10063).
 */
#include "../attack.h"

int main(void) {
  TRY("TIOCSTI", ioctl(0, TIOCSTI, "x"));
  TRY("high bits", syscall(SYS_ioctl, 0, 0x100000000UL | TIOCSTI, "x"));
  TRY("more high bits", syscall(SYS_ioctl, 0, 0xdead000000000000UL | TIOCSTI, "x"));
  TRY("TIOCLINUX", ioctl(0, TIOCLINUX, "\3"));
  TRY("controlling terminal", ioctl(0, TIOCSCTTY, 1));
  return 0;
}
