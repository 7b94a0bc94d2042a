/*
 * touch.c: has so much memory at once and ends, so that a reported peak can be set against what is known.
 * Usage: touch anonymous | shared-out | file MEBIBYTES, or touch read PATH; anonymous touches it in one process; shared-out half of it in each of two at
 * the same time; file writes a file of that size; read reads a file. It tells nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

static char chunk[CHUNK];

static int touch(long bytes) {
  if (bytes == 0) return 0;
  char *area = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return 71;
  memset(area, 1, (size_t)bytes);
  return 0;
}

/* Both have touched theirs before either ends: each waits for the end of the other's pipe. */
static int touch_shared_out(long bytes) {
  int here[2], there[2], status;
  char none;
  if (pipe(here) != 0 || pipe(there) != 0) return 71;
  pid_t child = fork();
  if (child < 0) return 71;
  int *own = child == 0 ? here : there, *other = child == 0 ? there : here;
  close(own[0]);
  close(other[1]);
  int failed = touch(bytes / 2);
  close(own[1]);
  ssize_t got = read(other[0], &none, 1);
  if (child == 0) _exit(failed);
  if (got != 0 || waitpid(child, &status, 0) != child) return 71;
  return failed != 0 ? failed : WEXITSTATUS(status);
}

static int write_file(long bytes) {
  int file = open("touched", O_CREAT | O_RDWR, 0600);
  for (long written = 0; written < bytes; written += CHUNK)
    if (write(file, chunk, CHUNK) != CHUNK) return 71;
  return 0;
}

static int read_file(const char *path) {
  int file = open(path, O_RDONLY);
  if (file < 0) return 66;
  ssize_t got;
  while ((got = read(file, chunk, CHUNK)) > 0) continue;
  return got == 0 ? 0 : 74;
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  long bytes = atol(argv[2]) << 20;
  if (strcmp(argv[1], "anonymous") == 0) return touch(bytes);
  if (strcmp(argv[1], "shared-out") == 0) return touch_shared_out(bytes);
  if (strcmp(argv[1], "file") == 0) return write_file(bytes);
  if (strcmp(argv[1], "read") == 0) return read_file(argv[2]);
  return 64;
}
