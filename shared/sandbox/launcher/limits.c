/*
 * limits.c: the limits that live in the process itself (rlimits); the rest is the cgroup's and deadlines.c's.
 * It never sets RLIMIT_AS, RLIMIT_DATA or RLIMIT_CPU: the first two break runtimes and turn a memory verdict into a
 * crash, the third would make a program's own SIGXCPU look like a limit. What must stay true: soft equals hard.
 */
#include "launcher.h"

#include <errno.h>
#include <sys/resource.h>

/* A core of one byte is none, and the one value for which the kernel does not start the host's crash handler either. */
enum { CORE_BYTES = 1, LOCKED_BYTES = 1 << 16, QUEUE_BYTES = 819200, PENDING_SIGNALS = 4096 };

struct limit {
  int resource;
  rlim_t value;
};

static int set(const struct limit *limits, size_t count, bool asked) {
  for (size_t i = 0; i < count; i++) {
    struct rlimit limit = {limits[i].value, limits[i].value}, ours;
    /* What a launch asked for it gets, or it fails. Ours are as low as an ordinary user's own are. */
    if (rootless && !asked && getrlimit(limits[i].resource, &ours) == 0 && ours.rlim_max < limit.rlim_max)
      limit.rlim_cur = limit.rlim_max = ours.rlim_max;
    if (setrlimit(limits[i].resource, &limit) != 0) return errno;
  }
  return 0;
}

/* Ahead of time: those that no launch changes. */
int fix_limits(struct setup *setup) {
  static const struct limit limits[] = {{RLIMIT_CORE, CORE_BYTES},    {RLIMIT_RTPRIO, 0},         {RLIMIT_NICE, 0},
                                        {RLIMIT_CPU, RLIM_INFINITY},  {RLIMIT_AS, RLIM_INFINITY}, {RLIMIT_DATA, RLIM_INFINITY}};
  int error = set(limits, sizeof limits / sizeof limits[0], false);
  return error != 0 || rootless ? error : fix_counted_limits(setup);
}

/* Of these the kernel also holds the sum of all sandboxes of one owner against what a namespace's maker had: without root,
 * where all have one owner, they are set when the namespace is made already, and each gets a share only. */
int fix_counted_limits(struct setup *setup) {
  const unsigned share = rootless ? 8 : 1;
  const struct limit limits[] = {{RLIMIT_MEMLOCK, LOCKED_BYTES}, {RLIMIT_MSGQUEUE, QUEUE_BYTES / share}, {RLIMIT_SIGPENDING, PENDING_SIGNALS / share}};
  (void)setup;
  return set(limits, sizeof limits / sizeof limits[0], false);
}

int apply_limits(struct setup *setup) {
  const struct limit limits[] = {{RLIMIT_FSIZE, setup->launch.LAUNCH_fileSizeBytes},
                                 {RLIMIT_NOFILE, setup->launch.LAUNCH_openFiles},
                                 {RLIMIT_STACK, setup->launch.LAUNCH_stackBytes}};
  return set(limits, sizeof limits / sizeof limits[0], true);
}
