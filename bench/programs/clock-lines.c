/*
 * clock-lines: prints the monotonic clock in nanoseconds, one line at a time, so that whoever reads a line knows how old it is.
 * usage: clock-lines COUNT GAP_MS BEGIN_MS
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1;
  struct timespec gap = {0, argc > 2 ? atol(argv[2]) * 1000000L : 0}, begin = {0, argc > 3 ? atol(argv[3]) * 1000000L : 0}, now;
  nanosleep(&begin, NULL);
  for (int i = 0; i < count; i++) {
    char line[32];
    nanosleep(&gap, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(line, sizeof line, "%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
    if (write(1, line, (size_t)size) != size) return 1;
  }
  return 0;
}
