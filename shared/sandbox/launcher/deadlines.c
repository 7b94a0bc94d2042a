/*
 * deadlines.c: when each launch must be looked at next: wall, cpu and idle limits, kills that do not come back, egress,
 * streams that rest.
 * It never polls: a look is set for the earliest moment at which a limit can be reached with every core busy, so that a
 * run needs a handful of them. What must stay true: a limit is recorded before its kill, with what was observed.
 */
#include "launcher.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CLOSEST_LOOK_NS (NS_PER_MS / 2)
#define OOM_LOOKS_NS NS_PER_MS

static unsigned cores(void) {
  static unsigned known;
  cpu_set_t set;
  if (known == 0) known = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
  return known;
}

/* How many cores a launch can keep busy at a time: those of its list ("0,2-3"; none: all), and no more than its processes. */
unsigned cores_of(const struct message *launch) {
  char *text = slice_text(launch->LAUNCH_cpus);
  uint64_t found = 0, most = cores();
  for (char *at = text; at != NULL && *at >= '0' && *at <= '9';) {
    unsigned long first = strtoul(at, &at, 10), last = *at == '-' ? strtoul(at + 1, &at, 10) : first;
    if (last >= first) found += last - first + 1;
    if (*at == ',') at++;
  }
  free(text);
  if (found > 0 && found < most) most = found;
  return (unsigned)(launch->LAUNCH_processes < most ? launch->LAUNCH_processes : most);
}

static uint64_t earlier(uint64_t one, uint64_t other) { return one == 0 || (other != 0 && other < one) ? other : one; }

static uint64_t next_of(const struct launch *launch) {
  uint64_t next = 0;
  if (!launch->ended) next = earlier(launch->kill_sent ? launch->kill_at : launch->next_check, launch->oom_check);
  next = earlier(next, streams_wake_at(launch));
  return launch->egress_alive ? earlier(next, launch->egress_deadline) : next;
}

uint64_t deadlines_next(void) {
  uint64_t next = 0;
  for (const struct launch *launch = launches; launch != NULL; launch = launch->next) next = earlier(next, next_of(launch));
  return next;
}

static uint64_t used_cpu(const struct launch *launch) {
  uint64_t used = cgroup->cpu_ns(launch->shell->counters);
  return used > launch->start.cpu_ns ? used - launch->start.cpu_ns : 0;
}

static void look(struct launch *launch, uint64_t now) {
  const struct message *limits = &launch->message;
  uint64_t cpu_limit = limits->LAUNCH_cpuTimeMs * NS_PER_MS, wall_limit = limits->LAUNCH_wallTimeMs * NS_PER_MS;
  uint64_t idle_limit = limits->LAUNCH_idleTimeMs * NS_PER_MS;
  uint64_t wall = now - launch->start.monotonic, cpu = used_cpu(launch);
  uint64_t idle = wall > cpu ? wall - cpu : 0;
  if (cpu >= cpu_limit) {
    launch_exceeded(launch, LIMIT_CPU_TIME, cpu / NS_PER_MS);
  } else if (wall >= wall_limit) {
    launch_exceeded(launch, LIMIT_WALL_TIME, wall / NS_PER_MS);
  } else if (idle >= idle_limit) {
    launch_exceeded(launch, LIMIT_IDLE_TIME, idle / NS_PER_MS);
  } else {
    uint64_t left = (cpu_limit - cpu) / launch->cores;
    if (idle_limit - idle < left) left = idle_limit - idle;
    if (left < CLOSEST_LOOK_NS) left = CLOSEST_LOOK_NS;
    if (wall_limit - wall < left) left = wall_limit - wall;
    launch->next_check = now + left;
  }
}

void deadlines_start(struct launch *launch) {
  if (!launch->kill_sent) look(launch, monotonic_ns());
}

static void look_for_oom(struct launch *launch, uint64_t now) {
  launch->oom_check = 0;
  if (launch->kill_sent) return;
  uint64_t kills = cgroup->oom_kills(launch->shell->counters);
  if (kills > 0)
    launch_exceeded(launch, LIMIT_MEMORY, launch->message.LAUNCH_memoryBytes);
  else
    launch->oom_check = now + OOM_LOOKS_NS; /* told that memory ran out; the kernel has not chosen yet */
}

static void oom_ready(struct source *source, uint32_t events) {
  (void)events;
  struct launch *launch = (struct launch *)((char *)source - offsetof(struct launch, oom));
  char drained[4096];
  while (read(source->descriptor, drained, sizeof drained) > 0) continue;
  if (launch->shell != NULL && !launch->ended) look_for_oom(launch, monotonic_ns());
}

void watch_memory(struct launch *launch) {
  watch(&launch->oom, launch->shell->oom, EPOLLIN, oom_ready);
  launch->shell->oom = -1;
}

static void run_one(struct launch *launch, uint64_t now) {
  streams_wake(launch, now);
  if (launch->egress_alive && launch->egress_deadline != 0 && now >= launch->egress_deadline) {
    launch->egress_deadline = 0;
    kill(launch->egress.pid, SIGKILL);
  }
  if (launch->ended || launch->shell == NULL) return;
  if (launch->oom_check != 0 && now >= launch->oom_check) look_for_oom(launch, now);
  if (launch->kill_sent) {
    if (now < launch->kill_at) return;
    launch->kill_at = now + NS_PER_S;
    log_line(LOG_LEVEL_WARN, "sandbox does not end, its init is killed", NULL, NULL);
    shell_destroy(launch->shell);
  } else if (launch->next_check != 0 && now >= launch->next_check) {
    if (launch->started)
      look(launch, now);
    else
      launch_failed(launch, STEP_LOST, ETIMEDOUT);
  }
}

void deadlines_run(uint64_t now) {
  for (struct launch *launch = launches, *next; launch != NULL; launch = next) {
    next = launch->next;
    run_one(launch, now);
  }
}
