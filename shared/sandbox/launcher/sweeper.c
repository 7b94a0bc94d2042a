/*
 * sweeper.c: two resident children that do what may take long and nobody waits for: removes cgroups, deletes trash,
 * drops the last reference to a sandbox's tmpfs (freeing a million inodes takes seconds).
 * They never answer. What must stay true: each works in order of arrival and survives any single failure; cgroups that
 * are still busy are tried again for a bounded time.
 */
#include "launcher.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum errand_kind { ERRAND_CGROUP = 1, ERRAND_TRASH, ERRAND_KEPT, ERRAND_DESCRIPTOR };

struct errand {
  uint32_t kind;
  uint64_t number;
  char name[256];
};

/* Two processes: deleting a million files must not keep cgroups from going. */
enum { QUICK, SLOW, SWEEPERS };
struct sweeper {
  struct child child; /* first member: the callback casts */
  int line;
  uint32_t sent;
  atomic_uint *done; /* shared with the child */
};
static struct sweeper sweepers[SWEEPERS] = {{.line = -1}, {.line = -1}};

static void remove_cgroup(uint64_t number) {
  for (int attempt = 0; attempt < 500; attempt++) {
    if (cgroup->remove(number) == 0) return;
    usleep(attempt < 20 ? 500 : 10000);
  }
  log_line(LOG_LEVEL_WARN, "cgroup can't be removed", NULL, NULL);
}

/* Whoever wrote there was killed, and may write for a moment yet. What can't go is the next start's. */
static void remove_trash(const char *name) {
  for (int attempt = 0; attempt < 100 && !remove_tree(store_trash(), name); attempt++) usleep(10000);
}

static _Noreturn void sweep_for_ever(int socket, atomic_uint *done) {
  struct errand errand;
  int descriptors[2];
  prctl(PR_SET_NAME, "envicutor-sweep");
  setpriority(PRIO_PROCESS, 0, 5);
  for (;;) {
    size_t count = 1;
    ssize_t got = receive_packet(socket, &errand, sizeof errand, descriptors, &count, 0);
    if (got == 0 || (got < 0 && got != -EINTR)) _exit(0); /* the launcher is gone, and everything was done */
    errand.name[sizeof errand.name - 1] = '\0';
    switch (errand.kind) {
      case ERRAND_CGROUP: remove_cgroup(errand.number); break;
      case ERRAND_TRASH: remove_trash(errand.name); break;
      case ERRAND_KEPT: kept_unmount(errand.number); break;
      default: break;
    }
    for (size_t i = 0; i < count; i++) close(descriptors[i]);
    atomic_fetch_add(done, 1);
  }
}

static void sweeper_start(struct sweeper *sweeper);

static void sweeper_ended(struct child *child, int status) {
  (void)status;
  struct sweeper *sweeper = (struct sweeper *)child;
  close_descriptor(&sweeper->line);
  if (loop_stopping()) return;
  log_line(LOG_LEVEL_ERROR, "sweeper ended, a new one is started", NULL, NULL);
  sweeper_start(sweeper);
}

static void sweeper_start(struct sweeper *sweeper) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) refuse("a socket pair can't be made", "raise the limit of open files");
  int room = 4 << 20;
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  atomic_store(sweeper->done, 0);
  sweeper->sent = 0; /* what a predecessor did not do is the next start's */
  pid_t pid = clone_process(0, -1, NULL);
  if (pid < 0) refuse("a process can't be started", "raise the limit of processes");
  if (pid == 0) {
    close(pair[0]);
    for (size_t i = 0; i < SWEEPERS; i++) close_descriptor(&sweepers[i].line);
    sweep_for_ever(pair[1], sweeper->done);
  }
  close(pair[1]);
  sweeper->line = pair[0];
  watch_child(&sweeper->child, pid, sweeper_ended);
}

void sweeper_open(void) {
  atomic_uint *counts = mmap(NULL, SWEEPERS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counts == MAP_FAILED) refuse("shared memory can't be had", "make room in this machine's memory");
  for (size_t i = 0; i < SWEEPERS; i++) {
    sweepers[i].done = counts + i;
    sweeper_start(&sweepers[i]);
  }
}

uint32_t sweeper_waiting(void) {
  uint32_t waiting = 0;
  for (size_t i = 0; i < SWEEPERS; i++) waiting += sweepers[i].sent - atomic_load(sweepers[i].done);
  return waiting;
}

/* Cgroups and mounts are waited for; trash that is left is the next start's. */
void sweeper_close(void) {
  for (size_t i = 0; i < SWEEPERS; i++) {
    pid_t pid = sweepers[i].child.pid;
    close_descriptor(&sweepers[i].line);
    if (pid <= 0) continue;
    if (i == SLOW) kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
}

static void send_errand(const struct errand *errand, const int *descriptor) {
  struct sweeper *sweeper = &sweepers[errand->kind == ERRAND_TRASH ? SLOW : QUICK];
  if (sweeper->line >= 0 && send_packet(sweeper->line, errand, sizeof *errand, descriptor, descriptor == NULL ? 0 : 1) == 0)
    sweeper->sent++;
  else
    log_line(LOG_LEVEL_WARN, "sweeper does not take an errand", NULL, NULL);
}

void sweep_cgroup(uint64_t number) { send_errand(&(struct errand){.kind = ERRAND_CGROUP, .number = number}, NULL); }
void sweep_kept(uint64_t serial) { send_errand(&(struct errand){.kind = ERRAND_KEPT, .number = serial}, NULL); }

void sweep_trash(const char *name) {
  struct errand errand = {.kind = ERRAND_TRASH};
  strncpy(errand.name, name, sizeof errand.name - 1);
  send_errand(&errand, NULL);
}

void sweep_descriptor(int descriptor) {
  send_errand(&(struct errand){.kind = ERRAND_DESCRIPTOR}, &descriptor);
  close(descriptor);
}
