/*
 * Enters the namespaces of process 1, and its own again.
 */
#include "../attack.h"

int main(void) {
  TRY("init", open("/proc/1/ns/mnt", O_RDONLY));
  TRY("pidfd", syscall(SYS_setns, syscall(SYS_pidfd_open, 1, 0), CLONE_NEWNS | CLONE_NEWNET));
  TRY("own", setns(open("/proc/self/ns/user", O_RDONLY), CLONE_NEWUSER));
  return 0;
}
