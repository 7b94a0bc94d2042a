/*
 * cgroup_v2.c: the driver for unified hosts: one delegated subtree, a payload enters by CLONE_INTO_CGROUP.
 * It never enables controllers above the subtree that it was given (--cgroup-path, or the group that we were started in).
 * What must stay true: no process of ours lives in an inner node; a sandbox's leaf holds the payload alone, so that
 * memory.oom.group takes all of it and nothing of ours.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAF "launcher-"

static int parent = -1;
static char parent_path[512];
static bool cpuset_enabled;

/* The group that we were started in. A leaf that a launcher made for its starter and itself stands for the one above. */
static bool find_own_group(char *into, size_t size) {
  char text[512];
  if (read_text(AT_FDCWD, "/proc/self/cgroup", text, sizeof text) < 0 || strncmp(text, "0::/", 4) != 0) return false;
  text[strcspn(text, "\n")] = '\0';
  char *last = strrchr(text, '/');
  if (strncmp(last, "/" LEAF, sizeof LEAF) == 0) *last = '\0';
  snprintf(into, size, "/sys/fs/cgroup%s", strcmp(text, "0::/") == 0 ? "" : text + 3);
  return true;
}

/* Controllers can be given to children only by a node without processes: we step into a leaf of our own first. An
 * ordinary user's group is his own (systemd-run --scope), and whoever started us in it comes along. */
static void step_into_leaf(const char *own) {
  char path[640], pids[8192];
  snprintf(path, sizeof path, "%s/cgroup.procs", own);
  if (!rootless || read_text(AT_FDCWD, path, pids, sizeof pids) < 0) pids[0] = '\0';
  snprintf(path, sizeof path, "%s/" LEAF "%s", own, options.cgroup_name);
  if (mkdir(path, 0755) != 0 && errno != EEXIST) return;
  int leaf = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  if (leaf >= 0) write_text(leaf, "cgroup.procs", "0");
  for (char *pid = strtok(pids, "\n"); leaf >= 0 && pid != NULL; pid = strtok(NULL, "\n")) write_text(leaf, "cgroup.procs", pid);
  close_descriptor(&leaf);
}

/* Into a group elsewhere an ordinary user could make directories, but put nobody. */
static void check_inside(const char *own, const char *given) {
  size_t length = strlen(given);
  if (rootless && (strncmp(own, given, length) != 0 || (own[length] != '/' && own[length] != '\0')))
    refuse("--cgroup-path is not above our own cgroup", "as root, write our starter's process id to the cgroup.procs of a directory in it first");
}

static void choose_group(char *into, size_t size) {
  bool found = find_own_group(into, size);
  if (!found && (rootless || options.cgroup_path == NULL)) refuse("our own cgroup is unknown", "give --cgroup-path with a delegated cgroup v2 directory");
  if (options.cgroup_path != NULL) check_inside(into, options.cgroup_path);
  bool ours = options.cgroup_path == NULL ? strcmp(into, "/sys/fs/cgroup") != 0 : rootless && strcmp(into, options.cgroup_path) == 0;
  if (options.cgroup_path != NULL) snprintf(into, size, "%s", options.cgroup_path);
  if (ours) step_into_leaf(into);
}

static bool enable(int directory, const char *controller) {
  char text[32];
  snprintf(text, sizeof text, "+%s", controller);
  return write_text(directory, "cgroup.subtree_control", text) == 0;
}

static void enable_all(int directory) {
  static const char *const needed[] = {"memory", "pids", "cpu"};
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    if (enable(directory, needed[i])) continue;
    char sentence[256];
    snprintf(sentence, sizeof sentence, "cgroup controller \"%s\" can't be enabled (%s)", needed[i], strerror(errno));
    refuse(sentence, rootless ? "start us by systemd-run --user --scope -p Delegate=yes, with Delegate=cpu cpuset memory pids in user@.service (docs/rootless.md)"
                              : "start us by systemd with Delegate=yes, or give --cgroup-path with a delegated directory that holds no process");
  }
  cpuset_enabled = enable(directory, "cpuset"); /* a launch that asks for it without is refused */
}

static void v2_open(void) {
  char own[384];
  choose_group(own, sizeof own);
  int above = open(own, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  if (above < 0) refuse("the cgroup directory can't be opened", "give --cgroup-path with an existing cgroup v2 directory");
  enable_all(above);
  snprintf(parent_path, sizeof parent_path, "%s/envicutor-%s", own, options.cgroup_name);
  if (mkdir(parent_path, 0755) != 0 && errno != EEXIST) refuse("our cgroup can't be made", "give --cgroup-path with a writable directory");
  parent = open(parent_path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  close(above);
  if (parent < 0) refuse("our cgroup can't be opened", "give --cgroup-path with a writable directory");
  for (int attempt = 0; flock(parent, LOCK_EX | LOCK_NB) != 0; attempt++) {
    if (attempt == 100) refuse("another launcher uses this cgroup name", "give each launcher its own --cgroup");
    usleep(10000);
  }
  enable_all(parent);
  if (!cpuset_enabled) missing("cpuset");
  cgroup_sweep_directory(parent);
  cgroup_sweep_orphans(parent);
}

static int put(uint64_t number, const char *file, const char *text) {
  char path[96];
  snprintf(path, sizeof path, "s%llu/%s", (unsigned long long)number, file);
  return write_text(parent, path, text);
}

static uint64_t put_number(uint64_t number, const char *file, uint64_t value, int *result) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  if (*result == 0) *result = put(number, file, text);
  return value;
}

static int v2_create(uint64_t number, struct cgroup_entry *entry) {
  char name[32];
  cgroup_directory_name(number, name);
  if (mkdirat(parent, name, 0755) != 0) return -errno;
  entry->clone_into = openat(parent, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  return entry->clone_into < 0 ? -errno : put(number, "memory.oom.group", "1");
}

/* cpu.shares of v1 (1024 = ordinary) in v2's weight (100 = ordinary, 1..10000). */
static uint64_t weight_of(uint32_t shares) {
  uint64_t weight = (uint64_t)shares * 100 / 1024;
  return weight < 1 ? 1 : weight > 10000 ? 10000 : weight;
}

static int v2_limit(uint64_t number, const struct cgroup_limits *limits) {
  int result = 0;
  put_number(number, "memory.max", limits->memory_bytes, &result);
  if (result == 0) {
    result = put(number, "memory.swap.max", "0");
    if (result == -ENOENT) result = 0; /* a kernel without swap has no such file */
  }
  put_number(number, "pids.max", limits->processes, &result);
  if (result == 0 && limits->cpu_shares != 1024) put_number(number, "cpu.weight", weight_of(limits->cpu_shares), &result);
  return result;
}

static int v2_pin(uint64_t number, const char *cpus, int *entry) {
  *entry = -1;
  if (cpus[0] == '\0') return 0;
  return cpuset_enabled ? put(number, "cpuset.cpus", cpus) : -ENOTSUP;
}

static int v2_watch_oom(uint64_t number) {
  char path[640];
  snprintf(path, sizeof path, "%s/s%llu/memory.events", parent_path, (unsigned long long)number);
  int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (notify < 0) return -errno;
  if (inotify_add_watch(notify, path, IN_MODIFY) >= 0) return notify;
  int error = errno;
  close(notify);
  return -error;
}

enum counter { CPU_STAT, MEMORY_PEAK, MEMORY_EVENTS, PROCESSES_PEAK };

static int v2_open_counters(uint64_t number, int counters[CGROUP_COUNTERS]) {
  static const char *const files[CGROUP_COUNTERS] = {
      [CPU_STAT] = "cpu.stat", [MEMORY_PEAK] = "memory.peak", [MEMORY_EVENTS] = "memory.events", [PROCESSES_PEAK] = "pids.peak"};
  char path[96];
  for (size_t i = 0; i < CGROUP_COUNTERS; i++) {
    snprintf(path, sizeof path, "s%llu/%s", (unsigned long long)number, files[i] == NULL ? "" : files[i]);
    counters[i] = files[i] == NULL ? -1 : openat(parent, path, O_RDONLY | O_CLOEXEC);
    if (counters[i] < 0 && (files[i] == NULL || i == PROCESSES_PEAK)) counters[i] = open("/dev/null", O_RDONLY | O_CLOEXEC); /* reads as 0 */
    if (counters[i] < 0) return -errno;
  }
  return 0;
}

static uint64_t v2_cpu_ns(const int *counters) { return counter_value(counters[CPU_STAT], "usage_usec") * 1000; }
static uint64_t v2_oom_kills(const int *counters) { return counter_value(counters[MEMORY_EVENTS], "oom_kill"); }

static void v2_read_usage(const int *counters, struct cgroup_usage *into) {
  memset(into, 0, sizeof *into);
  into->cpu_ns = v2_cpu_ns(counters);
  into->memory_peak = counter_value(counters[MEMORY_PEAK], "");
  into->processes_peak = counter_value(counters[PROCESSES_PEAK], "");
  into->throttled_ns = counter_value(counters[CPU_STAT], "throttled_usec") * 1000;
  into->oom_kills = v2_oom_kills(counters);
}

static int v2_remove(uint64_t number) {
  char name[32];
  cgroup_directory_name(number, name);
  return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

static void v2_close(void) {
  cgroup_sweep_directory(parent);
  rmdir(parent_path);
}

const struct cgroup_driver cgroup_v2 = {
    .name = CGROUP_V2,
    .open = v2_open,
    .create = v2_create,
    .limit = v2_limit,
    .pin = v2_pin,
    .watch_oom = v2_watch_oom,
    .open_counters = v2_open_counters,
    .cpu_ns = v2_cpu_ns,
    .oom_kills = v2_oom_kills,
    .read_usage = v2_read_usage,
    .remove = v2_remove,
    .close = v2_close,
};
