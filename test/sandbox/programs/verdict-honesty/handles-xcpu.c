/*
 * Handles and blocks every signal that a time limit could come as, and spins on.
 */
#include "../attack.h"

static void handle(int number) { (void)number; }

int main(void) {
  static const int numbers[] = {SIGXCPU, SIGALRM, SIGVTALRM, SIGPROF, SIGTERM, SIGINT, SIGHUP};
  sigset_t all;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) signal(numbers[i], handle);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  setrlimit(RLIMIT_CPU, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
  spin();
}
