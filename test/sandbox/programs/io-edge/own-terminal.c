/*
 * Turns its own terminal against whoever sits at the other end, and against the kernel.
 */
#include "../attack.h"
#include <termios.h>

int main(void) {
  int number = 0, master;
  TRY("inject", ioctl(0, TIOCSTI, "x"));
  TRY("inject, high bits", syscall(SYS_ioctl, 0, 0x100000000UL | TIOCSTI, "x"));
  TRY("console selection", ioctl(0, TIOCLINUX, "\2"));
  TRY("line discipline", ioctl(0, TIOCSETD, &number));
  TRY("line discipline, high bits", syscall(SYS_ioctl, 0, 0x100000000UL | TIOCSETD, &number));
  TRY("console output", ioctl(0, TIOCCONS, 0));
  TRY("hang up", vhangup());
  TRY("the other side", ioctl(0, TIOCGPTPEER, O_RDWR));
  TRY("unlock", ioctl(0, TIOCSPTLCK, &number));
  TRY("packet mode", ioctl(0, TIOCPKT, &number));
  TRY("change its node", chmod("/dev/pts/ptmx", 0));
  TRY("make a node", mknod("/dev/pts/9", S_IFCHR | 0666, makedev(136, 0)));
  TRY("another terminal", master = open("/dev/ptmx", O_RDWR | O_NOCTTY));
  TRY("its number", ioctl(master, TIOCGPTN, &number));
  printf("%d\n", number);
  return 0;
}
