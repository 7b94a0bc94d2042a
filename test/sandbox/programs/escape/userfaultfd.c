/*
 * Holds the kernel in a page fault for as long as it likes.
 */
#include "../attack.h"

int main(void) {
  TRY("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
  TRY("device", open("/dev/userfaultfd", O_RDWR));
  TRY("fuse", open("/dev/fuse", O_RDWR));
  return 0;
}
