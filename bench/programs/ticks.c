/*
 * ticks.c: never ends by itself; keeps telling what its clocks say, so that the last line tells when it was ended.
 * Usage: ticks cpu | wall; the first line holds the clock's nanoseconds at main, then every 50 microseconds a line follows.
 * cpu is CLOCK_PROCESS_CPUTIME_ID while spinning, wall is CLOCK_MONOTONIC while spinning. Lines go out unbuffered, 16 bytes
 * each, in place: with a file for standard output it stays one line long.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 50000

static long long read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void tell(long long value, int is_file) {
  char line[24];
  int length = snprintf(line, sizeof line, "%019lld\n", value);
  ssize_t wrote = is_file ? pwrite(1, line, (size_t)length, 0) : write(1, line, (size_t)length);
  (void)wrote;
}

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  clockid_t clock = strcmp(argv[1], "cpu") == 0 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  struct stat out;
  int is_file = fstat(1, &out) == 0 && S_ISREG(out.st_mode);
  long long told = read_clock(clock);
  if (!is_file) tell(told, 0);
  for (;;) {
    long long value = read_clock(clock);
    if (value - told < STEP_NS) continue;
    told = value;
    tell(value, is_file);
  }
}
