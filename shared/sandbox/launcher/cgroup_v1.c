/*
 * cgroup_v1.c: the driver for hybrid hosts: memory, pids, cpu and cpuacct, each its own tree with a group per sandbox, and
 * cpuset with a group per set of cpus that launches asked for (changing one per run would stall many-core machines).
 * It never touches a group that it did not make: <controller root>/envicutor-<name>/s<number> and nothing above.
 * What must stay true: the payload enters by writing "0" to `tasks`: moving one thread of oneself needs no global
 * lock (0.05 ms a tree), while `cgroup.procs` waits for an RCU grace period (9 ms on an idle machine).
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum tree { MEMORY, PIDS, CPU, CPUACCT, CPUSET, TREES };
static const char *const controllers[TREES] = {"memory", "pids", "cpu", "cpuacct", "cpuset"};
static int parents[TREES] = {-1, -1, -1, -1, -1};
static bool made[TREES]; /* by us, at this start */
static bool swap_limited, sockets_limited; /* v1 counts sockets' buffers apart from memory, and only when told so */

static bool find_mount(const char *controller, char *into, size_t size) {
  FILE *mounts = setmntent("/proc/self/mounts", "r");
  bool found = false;
  for (struct mntent *entry; mounts != NULL && !found && (entry = getmntent(mounts)) != NULL;) {
    if (strcmp(entry->mnt_type, "cgroup") != 0 || hasmntopt(entry, controller) == NULL) continue;
    found = snprintf(into, size, "%s", entry->mnt_dir) < (int)size;
  }
  if (mounts != NULL) endmntent(mounts);
  return found;
}

static int open_parent(enum tree tree) {
  char root[256], path[512];
  if (!find_mount(controllers[tree], root, sizeof root)) return -1;
  snprintf(path, sizeof path, "%s/envicutor-%s", root, options.cgroup_name);
  made[tree] = mkdir(path, 0755) == 0;
  if (!made[tree] && errno != EEXIST) return -1;
  return open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
}

static void remove_parent(enum tree tree) {
  char root[256], path[512];
  if (!find_mount(controllers[tree], root, sizeof root)) return;
  snprintf(path, sizeof path, "%s/envicutor-%s", root, options.cgroup_name);
  rmdir(path);
}

static void open_cpuset(void) {
  char text[256];
  if (parents[CPUSET] < 0) {
    missing("cpuset");
    return;
  }
  static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
  for (int i = 0; i < 2; i++) { /* v1: a new group has neither, and nobody may enter before it has both */
    char above[64];
    snprintf(above, sizeof above, "../%s", files[i]);
    if (read_text(parents[CPUSET], above, text, sizeof text) > 0) write_text(parents[CPUSET], files[i], text);
  }
  write_text(parents[CPUSET], "cgroup.clone_children", "1");
}

static bool host_swaps(void) {
  char text[512];
  return read_text(AT_FDCWD, "/proc/swaps", text, sizeof text) > 0 && strchr(text, '/') != NULL;
}

static void v1_open(void) {
  for (enum tree tree = MEMORY; tree < TREES; tree++) {
    parents[tree] = open_parent(tree);
    if (parents[tree] < 0 && tree != CPUSET) {
      char sentence[256];
      int error = errno;
      for (enum tree before = MEMORY; before < tree; before++)
        if (made[before]) remove_parent(before);
      errno = error;
      snprintf(sentence, sizeof sentence, "cgroup controller \"%s\" can't be used (%s)", controllers[tree], strerror(errno));
      refuse(sentence, "mount the cgroup v2 hierarchy, or the v1 controllers memory, pids, cpu and cpuacct, and run as root");
    }
  }
  /* A dying predecessor lets go of its lock within its own exit; a living one keeps it. */
  for (int attempt = 0; flock(parents[MEMORY], LOCK_EX | LOCK_NB) != 0; attempt++) {
    if (attempt == 100) refuse("another launcher uses this cgroup name", "give each launcher its own --cgroup");
    usleep(10000);
  }
  open_cpuset();
  for (enum tree tree = MEMORY; tree < TREES; tree++)
    if (parents[tree] >= 0) {
      cgroup_sweep_directory(parents[tree]);
      cgroup_sweep_orphans(parents[tree]);
    }
  swap_limited = faccessat(parents[MEMORY], "memory.memsw.limit_in_bytes", W_OK, 0) == 0;
  sockets_limited = faccessat(parents[MEMORY], "memory.kmem.tcp.limit_in_bytes", W_OK, 0) == 0;
  if (!swap_limited && host_swaps())
    refuse("swap is on but can't be limited", "turn swap off (swapoff -a), or boot with swapaccount=1");
}

static int v1_create(uint64_t number, struct cgroup_entry *entry) {
  char name[32], tasks[48];
  cgroup_directory_name(number, name);
  snprintf(tasks, sizeof tasks, "%s/tasks", name);
  for (enum tree tree = MEMORY; tree < CPUSET; tree++) {
    if (mkdirat(parents[tree], name, 0755) != 0) return -errno;
    entry->descriptors[tree] = openat(parents[tree], tasks, O_WRONLY | O_CLOEXEC);
    if (entry->descriptors[tree] < 0) return -errno;
  }
  return 0;
}

static int put(enum tree tree, uint64_t number, const char *file, const char *text) {
  char path[96];
  snprintf(path, sizeof path, "s%llu/%s", (unsigned long long)number, file);
  return write_text(parents[tree], path, text);
}

static int v1_limit(uint64_t number, const struct cgroup_limits *limits) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)limits->memory_bytes);
  int result = put(MEMORY, number, "memory.limit_in_bytes", text);
  if (result == -EINVAL && swap_limited && put(MEMORY, number, "memory.memsw.limit_in_bytes", text) == 0)
    result = put(MEMORY, number, "memory.limit_in_bytes", text); /* it was lower: the sum must be raised first */
  if (result == 0 && swap_limited) result = put(MEMORY, number, "memory.memsw.limit_in_bytes", text);
  if (result == 0 && sockets_limited) result = put(MEMORY, number, "memory.kmem.tcp.limit_in_bytes", text);
  snprintf(text, sizeof text, "%llu", (unsigned long long)limits->processes);
  if (result == 0) result = put(PIDS, number, "pids.max", text);
  if (result == 0 && limits->cpu_shares != 1024) {
    snprintf(text, sizeof text, "%u", limits->cpu_shares);
    result = put(CPU, number, "cpu.shares", text);
  }
  return result;
}

static int v1_pin(uint64_t number, const char *cpus, int *entry) {
  char name[300] = "cpus-", path[320];
  (void)number;
  *entry = -1;
  if (cpus[0] == '\0') return 0;
  if (parents[CPUSET] < 0) return -ENOTSUP;
  snprintf(name + 5, sizeof name - 5, "%s", cpus);
  if (mkdirat(parents[CPUSET], name, 0755) == 0) {
    snprintf(path, sizeof path, "%s/cpuset.cpus", name);
    int result = write_text(parents[CPUSET], path, cpus);
    if (result != 0) {
      unlinkat(parents[CPUSET], name, AT_REMOVEDIR);
      return result;
    }
  } else if (errno != EEXIST) {
    return -errno;
  }
  snprintf(path, sizeof path, "%s/tasks", name);
  *entry = openat(parents[CPUSET], path, O_WRONLY | O_CLOEXEC);
  return *entry < 0 ? -errno : 0;
}

static int v1_watch_oom(uint64_t number) {
  char path[96], line[64];
  snprintf(path, sizeof path, "s%llu/memory.oom_control", (unsigned long long)number);
  int control = openat(parents[MEMORY], path, O_RDONLY | O_CLOEXEC);
  if (control < 0) return -errno;
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  snprintf(line, sizeof line, "%d %d", event, control);
  int result = event < 0 ? -errno : put(MEMORY, number, "cgroup.event_control", line);
  close(control);
  if (result < 0) close_descriptor(&event);
  return result < 0 ? result : event;
}

enum counter { CPU_USAGE, MEMORY_PEAK, OOM_CONTROL, PROCESSES_PEAK, CPU_STAT };

static int v1_open_counters(uint64_t number, int counters[CGROUP_COUNTERS]) {
  static const struct { enum tree tree; const char *file; bool optional; } files[CGROUP_COUNTERS] = {
      [CPU_USAGE] = {CPUACCT, "cpuacct.usage", false},   [MEMORY_PEAK] = {MEMORY, "memory.max_usage_in_bytes", false},
      [OOM_CONTROL] = {MEMORY, "memory.oom_control", false}, [PROCESSES_PEAK] = {PIDS, "pids.peak", true}, [CPU_STAT] = {CPU, "cpu.stat", true}};
  char path[96];
  for (size_t i = 0; i < CGROUP_COUNTERS; i++) {
    snprintf(path, sizeof path, "s%llu/%s", (unsigned long long)number, files[i].file);
    counters[i] = openat(parents[files[i].tree], path, O_RDONLY | O_CLOEXEC);
    if (counters[i] < 0 && files[i].optional) counters[i] = open("/dev/null", O_RDONLY | O_CLOEXEC); /* reads as 0 */
    if (counters[i] < 0) return -errno;
  }
  return 0;
}

static uint64_t v1_cpu_ns(const int *counters) { return counter_value(counters[CPU_USAGE], ""); }
static uint64_t v1_oom_kills(const int *counters) { return counter_value(counters[OOM_CONTROL], "oom_kill"); }

static void v1_read_usage(const int *counters, struct cgroup_usage *into) {
  memset(into, 0, sizeof *into);
  into->cpu_ns = v1_cpu_ns(counters);
  into->memory_peak = counter_value(counters[MEMORY_PEAK], "");
  into->processes_peak = counter_value(counters[PROCESSES_PEAK], "");
  into->throttled_ns = counter_value(counters[CPU_STAT], "throttled_time");
  into->oom_kills = v1_oom_kills(counters);
}

static int v1_remove(uint64_t number) {
  char name[32];
  int result = 0;
  cgroup_directory_name(number, name);
  for (enum tree tree = MEMORY; tree < CPUSET; tree++)
    if (unlinkat(parents[tree], name, AT_REMOVEDIR) != 0 && errno != ENOENT) result = -errno;
  return result;
}

static void v1_close(void) {
  if (parents[CPUSET] >= 0) cgroup_sweep_directory(parents[CPUSET]);
  for (enum tree tree = MEMORY; tree < TREES; tree++) {
    if (parents[tree] < 0) continue;
    cgroup_sweep_directory(parents[tree]);
    remove_parent(tree);
  }
}

const struct cgroup_driver cgroup_v1 = {
    .name = CGROUP_V1,
    .open = v1_open,
    .create = v1_create,
    .limit = v1_limit,
    .pin = v1_pin,
    .watch_oom = v1_watch_oom,
    .open_counters = v1_open_counters,
    .cpu_ns = v1_cpu_ns,
    .oom_kills = v1_oom_kills,
    .read_usage = v1_read_usage,
    .remove = v1_remove,
    .close = v1_close,
};
