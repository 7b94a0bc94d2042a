/*
 * Makes a user namespace by clone3, whose flags no filter can read.
 */
#include "../attack.h"

int main(void) {
  uint64_t arguments[11] = {CLONE_NEWUSER, [4] = SIGCHLD};
  TRY("clone3", syscall(SYS_clone3, arguments, sizeof arguments));
  return 0;
}
