/*
 * ticks.c: never ends by itself; keeps telling what its clocks say, so that the last line tells when it was ended.
 * Usage: ticks cpu | wall; the first line holds the clock's nanoseconds at main, then a line follows every 50 microseconds of it.
 * cpu is CLOCK_PROCESS_CPUTIME_ID, wall is CLOCK_MONOTONIC; both spin. It never buffers: a line that was told is in the pipe.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 50000

static long long read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void tell(long long value) {
  char line[24];
  int length = snprintf(line, sizeof line, "%019lld\n", value);
  ssize_t wrote = write(1, line, (size_t)length);
  (void)wrote;
}

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  clockid_t clock = strcmp(argv[1], "cpu") == 0 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  long long told = read_clock(clock);
  tell(told);
  for (;;) {
    long long value = read_clock(clock);
    if (value - told < STEP_NS) continue;
    told = value;
    tell(value);
  }
}
