/*
 * bare-usage.c: what the kernel itself charges a program that is started without any sandbox: its exec, its main, its exit.
 * Usage: bare-usage PROGRAM ARGUMENT...; the program's output comes first, then a line with the nanoseconds of wait4's rusage and one
 * with the bytes of its maximum resident set.
 * It never counts itself: rusage is that of the one child.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  pid_t child = fork();
  if (child == 0) {
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int status;
  struct rusage usage;
  if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0) return 70;
  long long seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec, microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  printf("%lld\n%lld\n", (seconds * 1000000 + microseconds) * 1000, usage.ru_maxrss * 1024LL);
  return 0;
}
