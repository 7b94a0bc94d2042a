/*
 * Asks for time and randomness, which every program needs: both are there, and neither stands still.
 */
#include "../attack.h"

#include <sys/random.h>

int main(void) {
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  unsigned char one[32], other[32];
  for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
    struct timespec before, after;
    clock_gettime(clocks[i], &before);
    do clock_gettime(clocks[i], &after);
    while (after.tv_sec == before.tv_sec && after.tv_nsec == before.tv_nsec);
    if (after.tv_sec < before.tv_sec) say("backwards");
  }
  getrandom(one, sizeof one, 0);
  read_file("/dev/urandom", (char *)other, sizeof other);
  say(memcmp(one, other, sizeof one) != 0 ? "random" : "known");
  return 0;
}
