/*
 * attack.h: what every hostile program needs: all headers, and one line on standard output per attempt.
 * It never decides what is right: expectations.ts beside the program does. A line is "what: ok" or "what: ERRNO".
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* One attempt; errno of a failure by its name. */
static inline bool tell(const char *what, long result) {
  printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
  fflush(stdout);
  return result >= 0;
}
#define TRY(what, call) (errno = 0, tell((what), (long)(call)))

/* A message, at once. */
static inline void say(const char *text) {
  puts(text);
  fflush(stdout);
}

static inline void spin(void) {
  for (volatile unsigned long count = 0;; count++) continue;
}

/* "leave" or "look": the side of a channel between two runs. */
static inline bool leaves(int count, char **words) { return count > 1 && strcmp(words[1], "leave") == 0; }

/* The leaving side says so and stays alive until it is killed. */
_Noreturn static inline void stay(void) {
  say("left");
  for (;;) pause();
}

/* Bytes of a file, or -1; for "what can be read of it". */
static inline long read_file(const char *path, char *into, size_t size) {
  int file = open(path, O_RDONLY | O_NONBLOCK);
  if (file < 0) return -1;
  long got = read(file, into, size - 1);
  if (got >= 0) into[got] = 0;
  close(file);
  return got;
}

static inline long write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY);
  if (file < 0) return -1;
  long wrote = write(file, text, strlen(text));
  int error = errno;
  close(file);
  errno = error;
  return wrote;
}

#endif
