/*
 * Prints who it is.
 */
#include "../attack.h"

int main(void) {
  gid_t groups[64];
  struct { uint32_t version; int pid; } header = {0x20080522, 0};
  uint32_t data[6] = {0};
  syscall(SYS_capget, &header, data);
  printf("%d %d %d %d %x\n", getuid(), geteuid(), getgid(), getgroups(64, groups), data[0] | data[1] | data[3] | data[4]);
  printf("%d %d\n", getsid(0) == getpid(), open("/dev/tty", O_RDONLY));
  return 0;
}
