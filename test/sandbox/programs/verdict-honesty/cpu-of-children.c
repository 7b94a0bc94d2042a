/*
 * Spins in children that it kills and does not wait for.
 */
#include "../attack.h"

int main(void) {
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    pid_t child = fork();
    if (child == 0) for (volatile int i = 0;; i++) if (i > 3000000) _exit(0);
    while (kill(child, 0) == 0) sched_yield();
  }
  return 0;
}
