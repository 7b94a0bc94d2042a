/*
 * Leaves children that trace each other.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 5; i++) {
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    ptrace(PTRACE_SEIZE, child, 0, 0);
    ptrace(PTRACE_INTERRUPT, child, 0, 0);
  }
  return 0;
}
