/*
 * ids.c: which host ids a sandbox uses. A range of 65,536 is claimed by an flock'ed file, host-wide, so that builders,
 * agents and tests on one machine never share one; a user namespace maps 0..65535 to it.
 * It never hands out host root or an id below FIRST. What must stay true: nested user namespaces are impossible inside.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST UINT32_C(0x70000000)
enum { RANGES = 0xFFE, IDLE_MAX = 64 };

static struct id_range idle[IDLE_MAX];
static size_t idle_count;
static uint32_t next_index;

static int lock_range(int directory, uint32_t index) {
  char name[16];
  snprintf(name, sizeof name, "%04x", index);
  int lock = openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return -errno;
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  close(lock);
  return -EBUSY;
}

int claim_range(struct id_range *into) {
  if (idle_count > 0) {
    *into = idle[--idle_count];
    return 0;
  }
  if (mkdir(IDS_DIRECTORY, 0700) != 0 && errno != EEXIST) return -errno;
  int directory = open(IDS_DIRECTORY, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (directory < 0) return -errno;
  int result = -EAGAIN;
  for (uint32_t tried = 0; tried < RANGES; tried++) {
    uint32_t index = next_index++ % RANGES;
    int lock = lock_range(directory, index);
    if (lock == -EBUSY) continue;
    into->base = FIRST + index * BUILD_IDS;
    into->lock = lock;
    result = lock < 0 ? lock : 0;
    break;
  }
  close(directory);
  return result;
}

void release_range(struct id_range *range) {
  if (range->lock < 0) return;
  if (idle_count < IDLE_MAX)
    idle[idle_count++] = *range;
  else
    close(range->lock);
  range->lock = -1;
}

/* The namespace's first and only process: forbids namespaces below this one, then makes place for the payload. */
static _Noreturn void hold_namespace(int gate) {
  char byte;
  if (read(gate, &byte, 1) != 0) _exit(EIO);
  _exit(-write_text(AT_FDCWD, "/proc/sys/user/max_user_namespaces", "0"));
}

/* Our pid namespace is new but /proc is the host's: the pidfd's fdinfo translates. */
static int host_pid(int pidfd) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  ssize_t got = read_text(AT_FDCWD, path, text, sizeof text);
  if (got < 0) return (int)got;
  const char *line = strstr(text, "\nPid:");
  int pid = -1;
  return line != NULL && sscanf(line, "\nPid: %d", &pid) == 1 && pid > 0 ? pid : -ESRCH;
}

static int map_ids(int pid, uint32_t base) {
  char path[64], map[64];
  snprintf(path, sizeof path, "/proc/%d", pid);
  int process = open(path, O_DIRECTORY | O_PATH | O_CLOEXEC);
  if (process < 0) return -errno;
  snprintf(map, sizeof map, "0 %u %d\n", base, BUILD_IDS);
  int result = write_text(process, "gid_map", map);
  if (result == 0) result = write_text(process, "uid_map", map);
  if (result == 0) {
    result = openat(process, "ns/user", O_RDONLY | O_CLOEXEC);
    if (result < 0) result = -errno;
  }
  close(process);
  return result;
}

/* Some limits (inotify, message queues, pending signals) are counted against the owner, too: were it root, every sandbox
 * would eat from the host's own, and tell the others by it. The owner is an id of this range, which nobody else has. */
static pid_t clone_owned(uint32_t base, int *pidfd) {
  if (setresuid((uid_t)-1, base + BUILD_IDS - 1, (uid_t)-1) != 0) return -1;
  pid_t pid = clone_process(CLONE_NEWUSER, -1, pidfd);
  if (pid == 0) return 0;
  int error = errno;
  if (setresuid((uid_t)-1, 0, (uid_t)-1) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(1); /* the change cleared it */
  errno = error;
  return pid;
}

int make_user_namespace(uint32_t base) {
  int gate[2], pidfd = -1, status;
  if (pipe2(gate, O_CLOEXEC) != 0) return -errno;
  pid_t pid = clone_owned(base, &pidfd);
  if (pid < 0) {
    int error = errno;
    close(gate[0]);
    close(gate[1]);
    return -error;
  }
  if (pid == 0) {
    close(gate[1]);
    hold_namespace(gate[0]);
  }
  int holder = host_pid(pidfd);
  int result = holder < 0 ? holder : map_ids(holder, base);
  close(gate[0]);
  close(gate[1]);
  close(pidfd);
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    if (result >= 0) close(result);
    return result < 0 ? result : -EPERM;
  }
  return result;
}
