/*
 * ids.c: which host ids a sandbox uses. A range of 65,536 is claimed by an flock'ed file, host-wide, so that builders,
 * agents and tests on one machine never share one; a user namespace maps 0..65535 to it.
 * It never hands out host root or an id below FIRST. What must stay true: nested user namespaces are impossible inside.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
  if (rootless) { /* all of ours are one range; a descriptor stands for its lock */
    *into = (struct id_range){.base = 0, .lock = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    return into->lock < 0 ? -errno : 0;
  }
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

/* Our pid namespace is new but proc is the host's: the pidfd's fdinfo translates. */
static int host_pid(int proc, int pidfd) {
  char path[64], text[512];
  snprintf(path, sizeof path, "self/fdinfo/%d", pidfd);
  ssize_t got = read_text(proc, path, text, sizeof text);
  if (got < 0) return (int)got;
  const char *line = strstr(text, "\nPid:");
  int pid = -1;
  return line != NULL && sscanf(line, "\nPid: %d", &pid) == 1 && pid > 0 ? pid : -ESRCH;
}

static int map_ids(int proc, int pid, uint32_t base) {
  char path[64], map[64];
  snprintf(path, sizeof path, "%d", pid);
  int process = openat(proc, path, O_DIRECTORY | O_PATH | O_CLOEXEC);
  if (process < 0) return -errno;
  id_map(base, map, sizeof map);
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
int enter_user_namespace(uint32_t base, int proc, int line) {
  char byte = 0;
  if (setresuid((uid_t)-1, owner_id(base), (uid_t)-1) != 0 || unshare(CLONE_NEWUSER) != 0) return errno;
  /* Counted against the user's own in the end: no sandbox may take them all. */
  if (rootless) write_text(proc, "sys/user/max_inotify_instances", "4");
  int error = -write_text(proc, "sys/user/max_user_namespaces", "0"); /* none below this one */
  if (error != 0) return error;
  if (send(line, &byte, 1, MSG_NOSIGNAL) != 1) return EPIPE;
  return recv(line, &byte, 1, 0) == 1 ? 0 : ECONNRESET; /* mapped */
}

int map_user_namespace(uint32_t base, int proc, int pidfd, int line) {
  char byte;
  if (recv(line, &byte, 1, MSG_PEEK | MSG_TRUNC) != 1) return -ECHILD; /* dead, or a note why it soon will be: init reads it */
  if (recv(line, &byte, 1, 0) != 1) return -ECHILD;
  int pid = host_pid(proc, pidfd);
  int result = pid < 0 ? pid : map_ids(proc, pid, base);
  if (result >= 0 && send(line, &byte, 1, MSG_NOSIGNAL) != 1) {
    close(result);
    return -EPIPE;
  }
  return result;
}
