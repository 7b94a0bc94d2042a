/*
 * Has its children outlive it by refusing their death signal.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, 0);
    prctl(PR_SET_DUMPABLE, 0);
    for (;;) pause();
  }
  return 0;
}
