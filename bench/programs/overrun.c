/*
 * overrun.c: takes more and more of one thing and tells after every step how much it has and when that was, so that its last word shows how far
 * beyond a limit it came.
 * Usage: overrun idle | memory | output | file | processes; a line is the nanoseconds of CLOCK_REALTIME and what it has: bytes, processes, or for
 * idle the nanoseconds in which it did nothing. It tells on standard output, but for `output` on standard error. It never ends by itself, but for
 * file and processes when it is refused more.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { STEP = 64 << 10, OUTPUT_STEP = 4 << 10, NAP_NS = 200000 };
#define AREA (1L << 32)

static char step[STEP];

static long long read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void tell(int descriptor, long long amount) {
  char line[48];
  int length = snprintf(line, sizeof line, "%019lld %019lld\n", read_clock(CLOCK_REALTIME), amount);
  ssize_t wrote = write(descriptor, line, (size_t)length);
  (void)wrote;
}

static int idle(void) {
  long long from = read_clock(CLOCK_MONOTONIC) - read_clock(CLOCK_PROCESS_CPUTIME_ID);
  struct timespec nap = {0, NAP_NS};
  while (nanosleep(&nap, NULL) == 0) tell(1, read_clock(CLOCK_MONOTONIC) - read_clock(CLOCK_PROCESS_CPUTIME_ID) - from);
  return 1;
}

static int memory(void) {
  char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) return 71;
  for (long touched = 0; touched < AREA; tell(1, touched += STEP)) memset(area + touched, 1, STEP);
  return 0;
}

static int output(void) {
  for (long long written = 0;;) {
    ssize_t wrote = write(1, step, OUTPUT_STEP);
    if (wrote <= 0) return 1;
    tell(2, written += wrote);
  }
}

static int file(void) {
  int opened = open("overrun", O_CREAT | O_WRONLY, 0600);
  for (long long written = 0;;) {
    ssize_t wrote = write(opened, step, STEP);
    if (wrote <= 0) return 1;
    tell(1, written += wrote);
  }
}

static int processes(void) {
  for (long long count = 1;; count++) {
    tell(1, count);
    pid_t child = fork();
    if (child == 0) return pause();
    if (child < 0) return 1;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  memset(step, 'x', sizeof step);
  if (strcmp(argv[1], "idle") == 0) return idle();
  if (strcmp(argv[1], "memory") == 0) return memory();
  if (strcmp(argv[1], "output") == 0) return output();
  if (strcmp(argv[1], "file") == 0) return file();
  if (strcmp(argv[1], "processes") == 0) return processes();
  return 64;
}
