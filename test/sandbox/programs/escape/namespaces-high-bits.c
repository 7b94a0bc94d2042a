/*
 * Hides a namespace flag from a filter by setting high bits beside it.
 */
#include "../attack.h"

int main(void) {
  TRY("clone", syscall(SYS_clone, 0x100000000UL | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  TRY("unshare", syscall(SYS_unshare, 0x100000000UL | CLONE_NEWUSER));
  return 0;
}
