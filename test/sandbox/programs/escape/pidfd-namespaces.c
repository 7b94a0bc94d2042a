/*
 * Asks a pidfd of process 1 for its namespaces.
 */
#include "../attack.h"

int main(void) {
  int init = (int)syscall(SYS_pidfd_open, 1, 0);
  for (unsigned number = 1; number <= 10; number++)
    if (ioctl(init, _IO(0xFF, number), 0) >= 0) say("got one");
  return 0;
}
