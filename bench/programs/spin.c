/*
 * spin.c: burns processor time in some threads and prints what its own clocks say of it, right before it ends.
 * Usage: spin MICROSECONDS THREADS; prints the nanoseconds of CLOCK_PROCESS_CPUTIME_ID at main and at the end.
 * What it can't see of itself: its exec and its exit. It prints once, so that telling costs it almost nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long budget_ns;

static long long read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void *spin(void *unused) {
  long long from = read_clock(CLOCK_THREAD_CPUTIME_ID);
  for (volatile unsigned count = 0; read_clock(CLOCK_THREAD_CPUTIME_ID) - from < budget_ns;)
    for (int inner = 0; inner < 1000; inner++) count++;
  return unused;
}

int main(int argc, char **argv) {
  long long at_main = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  if (argc != 3) return 64;
  budget_ns = atoll(argv[1]) * 1000;
  int threads = atoi(argv[2]);
  pthread_t others[64];
  for (int other = 1; other < threads; other++) pthread_create(&others[other], NULL, spin, NULL);
  spin(NULL);
  for (int other = 1; other < threads; other++) pthread_join(others[other], NULL);
  printf("%lld %lld\n", at_main, read_clock(CLOCK_PROCESS_CPUTIME_ID));
  return 0;
}
