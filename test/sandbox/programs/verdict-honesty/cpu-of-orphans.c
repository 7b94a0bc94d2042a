/*
 * Leaves a spinning orphan and waits for nothing: both end, its cpu time counts.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      say("spinning");
      spin();
    }
    _exit(0);
  }
  char text[4096];
  for (;;) {
    struct timespec used;
    clockid_t clock;
    for (int id = 2; id < 9; id++)
      if (id != getpid() && clock_getcpuclockid(id, &clock) == 0 && clock_gettime(clock, &used) == 0 && used.tv_nsec > 60000000) return 0;
    sched_yield();
  }
  return 0;
}
