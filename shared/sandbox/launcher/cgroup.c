/*
 * cgroup.c: chooses the driver (v2 when its controllers are there, else hybrid v1) and holds what both share.
 * It never drops a limit silently: a host that can't enforce one is refused with its remedy before anything runs.
 * What must stay true: a sandbox's directory is named by its shell's number below one parent that is ours alone.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define EMBEDDED "embedded-"

const struct cgroup_driver *cgroup;

void cgroup_directory_name(uint64_t number, char into[32]) { snprintf(into, 32, "s%llu", (unsigned long long)number); }

void cgroup_open(void) {
  char controllers[512] = "";
  read_text(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", controllers, sizeof controllers);
  bool unified = strstr(controllers, "memory") != NULL && strstr(controllers, "pids") != NULL && strstr(controllers, "cpu") != NULL;
  if (rootless && !unified)
    refuse("an ordinary user can't be given cgroup v1", "boot with systemd.unified_cgroup_hierarchy=1 (cgroup v2 only), or start us as root");
  cgroup = unified ? &cgroup_v2 : &cgroup_v1;
  cgroup->open();
}

int cgroup_prepare(uint64_t number, const struct cgroup_limits *limits, struct cgroup_entry *entry) {
  *entry = (struct cgroup_entry){.clone_into = -1, .oom = -1};
  for (size_t i = 0; i < CGROUP_ENTRIES_MAX; i++) entry->descriptors[i] = -1;
  for (size_t i = 0; i < CGROUP_COUNTERS; i++) entry->counters[i] = -1;
  int result = cgroup->create(number, entry);
  if (result == 0 && limits->memory_bytes > 0) result = cgroup->limit(number, limits);
  if (result == 0) entry->oom = cgroup->watch_oom(number);
  if (result == 0 && entry->oom < 0) result = entry->oom;
  return result != 0 ? result : cgroup->open_counters(number, entry->counters);
}

int cgroup_join(struct cgroup_entry *entry) {
  int error = 0;
  for (size_t i = 0; i < CGROUP_ENTRIES_MAX; i++)
    if (entry->descriptors[i] >= 0 && error == 0 && write(entry->descriptors[i], "0", 1) != 1) error = errno;
  cgroup_entry_close(entry);
  return -error;
}

void cgroup_entry_close(struct cgroup_entry *entry) {
  for (size_t i = 0; i < CGROUP_ENTRIES_MAX; i++) close_descriptor(&entry->descriptors[i]);
  close_descriptor(&entry->clone_into);
}

static void kill_members(int directory) {
  char text[8192];
  if (read_text(directory, "cgroup.procs", text, sizeof text) <= 0) return;
  char *last = strrchr(text, '\n'); /* a long list was cut, maybe inside a number: that would be somebody else's process */
  if (last == NULL) return;
  *last = '\0';
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char *end;
    long pid = strtol(line, &end, 10);
    if (*end == '\0' && pid > 1 && pid <= INT_MAX && pid != getpid()) kill((pid_t)pid, SIGKILL);
  }
}

/* A predecessor's sandboxes die with it; what is left are empty directories, or nearly dead processes in them. */
static void sweep_one(int parent, const char *name) {
  for (int attempt = 0; attempt < 200; attempt++) {
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return;
    int directory = openat(parent, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (directory < 0) return;
    kill_members(directory);
    close(directory);
    usleep(10000);
  }
  log_line(LOG_LEVEL_WARN, "left-over cgroup can't be removed", "cgroup", name);
}

void cgroup_sweep_directory(int parent) {
  int copy = openat(parent, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  DIR *directory = copy < 0 ? NULL : fdopendir(copy);
  if (directory == NULL) {
    close_descriptor(&copy);
    return;
  }
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
    if (entry->d_type == DT_DIR && (entry->d_name[0] == 's' || strncmp(entry->d_name, "cpus-", 5) == 0)) sweep_one(parent, entry->d_name);
  closedir(directory);
}

/* An embedding process gives its launchers names with its own process id in them (embedded-sandbox.ts). */
static bool is_orphaned(const char *name) {
  char *end;
  if (strncmp(name, "envicutor-" EMBEDDED, sizeof "envicutor-" EMBEDDED - 1) != 0) return false;
  long pid = strtol(name + sizeof "envicutor-" EMBEDDED - 1, &end, 10);
  return *end == '-' && pid > 1 && pid <= INT_MAX && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void cgroup_sweep_orphans(int parent) {
  if (strncmp(options.cgroup_name, EMBEDDED, sizeof EMBEDDED - 1) != 0) return;
  int above = openat(parent, "..", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  DIR *directory = above < 0 ? NULL : fdopendir(above);
  for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    if (entry->d_type != DT_DIR || !is_orphaned(entry->d_name)) continue;
    int orphan = openat(above, entry->d_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (orphan >= 0 && flock(orphan, LOCK_EX | LOCK_NB) == 0) { /* else its launcher is cleaning up right now */
      cgroup_sweep_directory(orphan);
      unlinkat(above, entry->d_name, AT_REMOVEDIR);
    }
    close_descriptor(&orphan);
  }
  if (directory != NULL) closedir(directory);
}
