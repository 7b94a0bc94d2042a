/*
 * Reads its limits: what it is told is what holds.
 */
#include "../attack.h"

int main(void) {
  static const int which[] = {RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_NICE, RLIMIT_RTPRIO};
  for (size_t i = 0; i < 6; i++) {
    struct rlimit limit;
    getrlimit(which[i], &limit);
    printf("%ld %d\n", (long)limit.rlim_cur, limit.rlim_cur == limit.rlim_max);
  }
  return 0;
}
