/*
 * burn.c: a program of a mix: holds memory, writes a file, waits, and burns processor time until it has had so much in all.
 * Usage: burn CPU_MICROSECONDS MEMORY_BYTES DISK_BYTES WAIT_MICROSECONDS
 * What exec and exit cost is not in its own count; what touching memory and writing cost is, so that its processor time is what was asked for.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 65536 };

static long long used_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int write_file(long long bytes) {
  static char block[BLOCK];
  int file = open("burnt", O_CREAT | O_WRONLY | O_TRUNC, 0600);
  if (file < 0) return 1;
  for (; bytes > 0; bytes -= BLOCK)
    if (write(file, block, bytes < BLOCK ? (size_t)bytes : BLOCK) < 0) return 1;
  return close(file);
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  long long cpu_ns = atoll(argv[1]) * 1000, memory = atoll(argv[2]), disk = atoll(argv[3]), wait_us = atoll(argv[4]);
  char *held = memory > 0 ? malloc((size_t)memory) : NULL;
  if (memory > 0 && held == NULL) return 1;
  if (held != NULL) memset(held, 1, (size_t)memory);
  if (disk > 0 && write_file(disk) != 0) return 1;
  if (wait_us > 0) {
    struct timespec time = {wait_us / 1000000, (wait_us % 1000000) * 1000};
    nanosleep(&time, NULL);
  }
  for (volatile unsigned count = 0; used_ns() < cpu_ns;)
    for (int inner = 0; inner < 1000; inner++) count++;
  return 0;
}
