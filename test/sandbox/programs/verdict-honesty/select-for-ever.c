/*
 * Waits in one call after the other, each of which is interrupted often.
 */
#include "../attack.h"

static void handle(int number) { (void)number; }

int main(void) {
  signal(SIGALRM, handle);
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL);
  for (;;) {
    poll(NULL, 0, 100000);
    usleep(1000000);
    sigsuspend(&(sigset_t){0});
  }
}
