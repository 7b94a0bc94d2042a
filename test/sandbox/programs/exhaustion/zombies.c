/*
 * Leaves its dead children unreaped.
 */
#include "../attack.h"

int main(void) {
  int made = 0;
  for (pid_t child; (child = fork()) >= 0; made++) {
    siginfo_t information;
    if (child == 0) _exit(0);
    waitid(P_PID, (id_t)child, &information, WEXITED | WNOWAIT);
  }
  printf("%d\n", made);
  return 0;
}
