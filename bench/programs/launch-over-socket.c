/*
 * launch-over-socket.c: how long one launch takes at the launcher's socket, from C, so that no runtime is in the figure.
 * Usage: launch-over-socket SOCKET FRAMES, where FRAMES holds one HELLO and one LAUNCH frame; each line on standard input
 * is one launch under a number of its own, answered by its nanoseconds (LAUNCH sent to REPORT read) on a line.
 * It knows of the contract only what the arguments can't tell: where a frame's length, its number and its launch are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WELCOME = 64, REPORT = 68, HEADER = 5, END_EXITED = 1 };

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "launch-over-socket: %s: %s\n", what, strerror(errno));
  exit(70);
}

static void send_all(int socket, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = write(socket, bytes, length);
    if (sent <= 0) fail("write");
    bytes += sent;
    length -= (size_t)sent;
  }
}

/* Reads frames until one has this number; its fields' beginning is left in `fields`. Frames are read in few, large reads. */
static void receive(int socket, int number, unsigned char *fields, size_t room) {
  static unsigned char buffer[1 << 20];
  static size_t filled;
  for (;;) {
    uint32_t length;
    while (filled >= HEADER && (memcpy(&length, buffer, 4), filled >= length + 4)) {
      int found = buffer[4];
      memcpy(fields, buffer + HEADER, room < length - 1 ? room : length - 1);
      memmove(buffer, buffer + length + 4, filled - length - 4);
      filled -= length + 4;
      if (found == number) return;
    }
    ssize_t got = read(socket, buffer + filled, sizeof buffer - filled);
    if (got <= 0) fail("the launcher hung up");
    filled += (size_t)got;
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  static char frames[1 << 16];
  int file = open(argv[2], O_RDONLY);
  ssize_t length = file < 0 ? -1 : read(file, frames, sizeof frames);
  uint32_t hello;
  memcpy(&hello, frames, 4);
  hello += 4;
  if (length <= (ssize_t)hello + HEADER) fail(argv[2]);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int launcher = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(launcher, (struct sockaddr *)&address, sizeof address) != 0) fail(argv[1]);
  unsigned char fields[24];
  send_all(launcher, frames, hello);
  receive(launcher, WELCOME, fields, sizeof fields);
  char line[16];
  for (uint64_t launch = 1; fgets(line, sizeof line, stdin) != NULL; launch++) {
    memcpy(frames + hello + HEADER, &launch, sizeof launch);
    long long from = now();
    send_all(launcher, frames + hello, (size_t)length - hello);
    receive(launcher, REPORT, fields, sizeof fields);
    long long took = now() - from;
    int32_t exit_code;
    memcpy(&exit_code, fields + 9, sizeof exit_code);
    if (fields[8] != END_EXITED || exit_code != 0) {
      fprintf(stderr, "launch-over-socket: end %d, exit code %d, signal %d, step %d\n", fields[8], exit_code, fields[13], fields[17]);
      return 70;
    }
    printf("%lld\n", took);
    fflush(stdout);
  }
  return 0;
}
