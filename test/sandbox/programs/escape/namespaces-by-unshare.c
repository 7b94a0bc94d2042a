/*
 * Makes every kind of namespace by unshare, to hold capabilities in one.
 */
#include "../attack.h"

int main(void) {
  static const int kinds[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, 0x80};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) TRY("unshare", unshare(kinds[i]));
  return 0;
}
