/*
 * neighbour.c: is a bad neighbour until it is ended, or for ten seconds: what others on the machine feel of one program.
 * Usage: neighbour spin | threads | cache | fork | memory | disk | files | output; see the table at the end. It never prints but for `output`.
 * Each takes one thing for as much as it is given: no kind is meant to be run outside a sandbox but spin, threads and cache.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECONDS = 10, THREADS = 8, CHUNK = 1 << 20, CACHE_BYTES = 64 << 20 };

static char chunk[CHUNK];

static void *spin(void *unused) {
  for (volatile unsigned long count = 0;;) count++;
  return unused;
}

static void be_spin(void) { spin(NULL); }

static void be_threads(void) {
  pthread_t other;
  for (int thread = 1; thread < THREADS; thread++) pthread_create(&other, NULL, spin, NULL);
  spin(NULL);
}

/* Writes all over more memory than a cache has, so that everybody's lines go. */
static void be_cache(void) {
  size_t lines = CACHE_BYTES / 64;
  volatile char *area = mmap(NULL, CACHE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  for (size_t line = 1;; line = (line * 1103515245 + 12345) % lines) area[line * 64]++;
}

static void be_fork(void) {
  for (;;) {
    pid_t child = fork();
    if (child < 0) usleep(100);
  }
}

static void be_memory(void) {
  for (;;) {
    char *area = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area != MAP_FAILED) memset(area, 1, CHUNK);
  }
}

static void be_disk(void) {
  for (;;) {
    int file = open("filler", O_CREAT | O_WRONLY | O_TRUNC, 0600);
    while (write(file, chunk, CHUNK) > 0) continue;
    close(file);
  }
}

static void be_files(void) {
  char name[16];
  for (;;) {
    unsigned made = 0;
    for (;; made++) {
      snprintf(name, sizeof name, "f%u", made);
      int file = open(name, O_CREAT | O_WRONLY, 0600);
      if (file < 0) break;
      close(file);
    }
    while (made-- > 0) {
      snprintf(name, sizeof name, "f%u", made);
      unlink(name);
    }
  }
}

static void be_output(void) {
  memset(chunk, 'x', CHUNK);
  while (write(1, chunk, CHUNK) > 0) continue;
}

static const struct {
  const char *name;
  void (*be)(void);
} kinds[] = {
    {"spin", be_spin},     {"threads", be_threads}, {"cache", be_cache}, {"fork", be_fork},
    {"memory", be_memory}, {"disk", be_disk},       {"files", be_files}, {"output", be_output},
};

int main(int argc, char **argv) {
  alarm(SECONDS);
  for (size_t kind = 0; argc == 2 && kind < sizeof kinds / sizeof *kinds; kind++)
    if (strcmp(argv[1], kinds[kind].name) == 0) kinds[kind].be();
  return 64;
}
