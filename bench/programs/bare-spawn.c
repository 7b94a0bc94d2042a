/*
 * bare-spawn.c: how long fork, exec and wait of one program take, from C, with nothing around it.
 * Usage: bare-spawn PROGRAM ARGUMENT...; each line on standard input is one spawn, answered by its nanoseconds on a line.
 * It never measures its own conversation: the clock is read right before fork and right after wait.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void run(char **argv, int nothing) {
  for (int descriptor = 0; descriptor < 3; descriptor++) dup2(nothing, descriptor);
  execv(argv[0], argv);
  _exit(127);
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    long long from = now();
    pid_t child = fork();
    if (child == 0) run(argv + 1, nothing);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return 71;
    long long took = now() - from;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fprintf(stderr, "bare-spawn: %s ended with status %#x\n", argv[1], (unsigned)status);
      return 70;
    }
    printf("%lld\n", took);
    fflush(stdout);
  }
  return 0;
}
