/*
 * Sets and clears the timers that count its cpu time, which other judges use themselves.
 */
#include "../attack.h"

int main(void) {
  static const int kinds[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
  signal(SIGPROF, SIG_IGN);
  for (;;)
    for (int i = 0; i < 3; i++) setitimer(kinds[i], &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}
