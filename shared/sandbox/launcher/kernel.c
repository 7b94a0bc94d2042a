/*
 * kernel.c: clocks, and the system calls that the C library does not wrap the way we need.
 * It never decides anything; a failure is -1 with errno or a negative errno, as each comment in launcher.h says.
 * What must stay true: every descriptor made here is close-on-exec.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }
uint64_t time_ns(struct timeval time) { return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * 1000; }
uint64_t process_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

/* The child has ordinary priority, whatever ours is. */
pid_t clone_process(uint64_t flags, int cgroup_descriptor, int *pidfd) {
  struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
  if (cgroup_descriptor >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)cgroup_descriptor;
  }
  if (pidfd != NULL) {
    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
  }
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) setpriority(PRIO_PROCESS, 0, 0);
  return pid;
}

/* in_root: symbolic links are followed as if directory were "/". Otherwise no link is followed at all. */
int open_beneath(int directory, const char *path, uint64_t flags, mode_t mode, bool in_root) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = (flags & O_CREAT) != 0 ? mode : 0};
  how.resolve = RESOLVE_NO_MAGICLINKS | (in_root ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int write_text(int directory, const char *path, const char *text) {
  int file = openat(directory, path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  ssize_t written = write(file, text, strlen(text));
  int error = written < 0 ? errno : 0;
  close(file);
  return -error;
}

ssize_t read_text(int directory, const char *path, char *into, size_t size) {
  int file = openat(directory, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  ssize_t got = read(file, into, size - 1);
  int error = errno;
  close(file);
  if (got < 0) return -error;
  into[got] = '\0';
  return got;
}

int64_t read_number(int directory, const char *path) {
  char text[64];
  ssize_t got = read_text(directory, path, text, sizeof text);
  if (got < 0) return got;
  return strtoll(text, NULL, 10);
}

uint64_t counter_value(int file, const char *key) {
  char text[1024];
  ssize_t got = pread(file, text, sizeof text - 1, 0);
  if (got <= 0) return 0;
  text[got] = '\0';
  size_t length = strlen(key);
  if (length == 0) return text[0] == '-' ? 0 : strtoull(text, NULL, 10);
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, key, length) == 0 && line[length] == ' ') return line[length + 1] == '-' ? 0 : strtoull(line + length, NULL, 10);
  }
  return 0;
}

void close_descriptor(int *descriptor) {
  if (*descriptor >= 0) close(*descriptor);
  *descriptor = -1;
}

int send_packet(int socket, const void *data, size_t size, const int *descriptors, size_t count) {
  struct iovec vector = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * (LAYERS_MAX + 8))];
  } control;
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *header = &control.header;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
  }
  ssize_t sent;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)size ? 0 : sent < 0 ? -errno : -EMSGSIZE;
}

ssize_t receive_packet(int socket, void *data, size_t size, int *descriptors, size_t *count, int flags) {
  struct iovec vector = {.iov_base = data, .iov_len = size};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * (LAYERS_MAX + 8))];
  } control;
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  size_t room = *count;
  *count = 0;
  ssize_t got;
  do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
  while (got < 0 && errno == EINTR);
  if (got < 0) return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; i++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      if (*count < room)
        descriptors[(*count)++] = descriptor;
      else
        close(descriptor);
    }
  }
  return got;
}
