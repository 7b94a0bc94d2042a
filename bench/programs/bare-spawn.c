/*
 * bare-spawn.c: how long fork, exec and wait of one program take, from C, with nothing around it.
 * Usage: bare-spawn PROGRAM ARGUMENT... [';' PROGRAM ARGUMENT...]...; each line on standard input is one round of the
 * programs one after the other, answered by its nanoseconds on a line.
 * It never measures its own conversation: the clock is read right before the first fork and right after the last wait.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void run(char **argv, int nothing) {
  pid_t child = fork();
  if (child == 0) {
    for (int descriptor = 0; descriptor < 3; descriptor++) dup2(nothing, descriptor);
    execv(argv[0], argv);
    _exit(127);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) exit(71);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  fprintf(stderr, "bare-spawn: %s ended with status %#x\n", argv[0], (unsigned)status);
  exit(70);
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  char **commands[8] = {argv + 1};
  int count = 1;
  for (int word = 1; word < argc && count < 8; word++) {
    if (strcmp(argv[word], ";") != 0) continue;
    argv[word] = NULL;
    commands[count++] = argv + word + 1;
  }
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    long long from = now();
    for (int command = 0; command < count; command++) run(commands[command], nothing);
    printf("%lld\n", now() - from);
    fflush(stdout);
  }
  return 0;
}
