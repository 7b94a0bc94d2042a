/*
 * Prints its environment, arguments and signals: nothing is inherited.
 */
#include "../attack.h"

int main(void) {
  extern char **environ;
  for (char **entry = environ; *entry != NULL; entry++) say(*entry);
  struct sigaction action;
  for (int number = 1; number < 65; number++)
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL) printf("signal %d\n", number);
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  printf("%d %d %03o %d %d\n", sigismember(&mask, SIGCHLD), sigismember(&mask, SIGTERM), umask(0), getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
  return 0;
}
