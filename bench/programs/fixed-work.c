/*
 * fixed-work.c: does the same work every time, on one processor, so that every difference between its times is somebody else's doing.
 * Usage: fixed-work PROCESSOR ROUNDS; it looks at no clock and ends when the work is done.
 * What it never does: wait, allocate or call the kernel between its first and its last round.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

enum { STEPS = 1 << 16 };

static uint32_t table[1 << 12]; /* 16 KiB: it stays in the processor's own cache */

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  cpu_set_t own;
  CPU_ZERO(&own);
  CPU_SET(atoi(argv[1]), &own);
  if (sched_setaffinity(0, sizeof own, &own) != 0) return 70;
  uint32_t state = 1;
  for (long round = atol(argv[2]); round > 0; round--)
    for (int step = 0; step < STEPS; step++) {
      state = state * 1664525 + 1013904223;
      table[state >> 20] += state;
    }
  return table[state >> 20] == 0xdeadbeef ? 1 : 0;
}
