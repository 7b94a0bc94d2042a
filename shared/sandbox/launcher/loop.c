/*
 * loop.c: the launcher's only loop: descriptors by epoll, dead children by signalfd, deadlines by epoll_pwait2.
 * It never blocks anywhere else and knows nothing about launches but when the next one must be looked at.
 * What must stay true: a source that was unwatched gets no further event, even one of the same batch.
 */
#include "launcher.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, GRAVES_MAX = 4096 };

static int poller = -1;
static bool stopping;
static struct source signals;
static struct child *children;
static void *graves[GRAVES_MAX];
static size_t grave_count;

void watch(struct source *source, int descriptor, uint32_t events, void (*ready)(struct source *, uint32_t)) {
  source->descriptor = descriptor;
  source->ready = ready;
  struct epoll_event event = {.events = events, .data.ptr = source};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) != 0) log_errno("descriptor can't be watched", "epoll_ctl", errno);
}

void watch_for(struct source *source, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = source};
  if (source->descriptor < 0) return;
  /* No events means not watched at all: a hang-up would be reported whatever the mask says. */
  if (events == 0)
    epoll_ctl(poller, EPOLL_CTL_DEL, source->descriptor, NULL);
  else if (epoll_ctl(poller, EPOLL_CTL_MOD, source->descriptor, &event) != 0)
    epoll_ctl(poller, EPOLL_CTL_ADD, source->descriptor, &event);
}

/* Removed explicitly: a forked child may hold a copy of the descriptor, and epoll would go on reporting it. */
void unwatch(struct source *source) {
  if (source->descriptor < 0) return;
  epoll_ctl(poller, EPOLL_CTL_DEL, source->descriptor, NULL);
  close(source->descriptor);
  source->descriptor = -1;
}

void watch_child(struct child *child, pid_t pid, void (*ended)(struct child *, int)) {
  child->pid = pid;
  child->ended = ended;
  child->next = children;
  children = child;
}

void free_later(void *memory) {
  if (grave_count < GRAVES_MAX) graves[grave_count++] = memory; /* a full batch can't bury more; else it is leaked, not reused */
}

static void reap_children(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (struct child **link = &children; *link != NULL; link = &(*link)->next) {
      struct child *child = *link;
      if (child->pid != pid) continue;
      *link = child->next;
      child->pid = 0;
      child->ended(child, status);
      break;
    }
  }
}

static void signal_ready(struct source *source, uint32_t events) {
  (void)events;
  struct signalfd_siginfo information;
  while (read(source->descriptor, &information, sizeof information) == (ssize_t)sizeof information) {
    if (information.ssi_signo == SIGTERM || information.ssi_signo == SIGINT) stopping = true;
  }
  reap_children();
}

void loop_open(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  poller = epoll_create1(EPOLL_CLOEXEC);
  int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (poller < 0 || descriptor < 0) refuse("epoll or signalfd is not available", "run on Linux 5.14 or newer");
  watch(&signals, descriptor, EPOLLIN, signal_ready);
}

void loop_stop(void) { stopping = true; }
bool loop_stopping(void) { return stopping; }

static int wait_for_events(struct epoll_event *events, int timeout_ms) {
  uint64_t deadline = deadlines_next();
  if (deadline == 0 || timeout_ms >= 0) return epoll_wait(poller, events, BATCH, timeout_ms);
  uint64_t now = monotonic_ns();
  uint64_t left = deadline > now ? deadline - now : 0;
  struct timespec timeout = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
  return epoll_pwait2(poller, events, BATCH, &timeout, NULL);
}

void loop_turn(int timeout_ms) {
  struct epoll_event events[BATCH];
  int count = wait_for_events(events, timeout_ms);
  for (int i = 0; i < count; i++) {
    struct source *source = events[i].data.ptr;
    if (source->descriptor >= 0) source->ready(source, events[i].events);
  }
  deadlines_run(monotonic_ns());
  clients_flush();
  stock_keep_up();
  while (grave_count > 0) free(graves[--grave_count]);
}

void loop_run(void) {
  while (!stopping) loop_turn(-1);
}
