/*
 * Makes every kind of namespace by the old clone call.
 */
#include "../attack.h"

int main(void) {
  static const long kinds[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) TRY("clone", syscall(SYS_clone, kinds[i] | SIGCHLD, 0, 0, 0, 0));
  return 0;
}
