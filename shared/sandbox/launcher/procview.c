/*
 * procview.c: what a sandbox sees in /proc beside its own processes: sysctls read-only, nothing of the host's secrets, and
 * nothing by which one run could watch what the rest of the machine does.
 * It never hides what runtimes need and sysinfo(2) tells anyway (meminfo, uptime, cpuinfo). What must stay true: what
 * stands in for a host's file has inodes of this sandbox alone: a lock on a shared one would be a channel between two runs.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  const char *name;
  enum { ABSENT, FILE_SHOWN, DIRECTORY_SHOWN } kind;
} hidden[] = {
    {"kcore", ABSENT}, {"keys", ABSENT}, {"key-users", ABSENT}, {"timer_list", ABSENT}, {"sched_debug", ABSENT}, {"sysrq-trigger", ABSENT},
    {"kallsyms", ABSENT}, {"latency_stats", ABSENT}, {"kmsg", ABSENT}, {"config.gz", ABSENT}, {"scsi", ABSENT}, {"acpi", ABSENT},
    {"asound", ABSENT}, {"driver", ABSENT}, {"fs", ABSENT}, {"bus", ABSENT}, {"irq", ABSENT},
    /* what the whole host does, as figures that no runtime asks for */
    {"interrupts", ABSENT}, {"softirqs", ABSENT}, {"schedstat", ABSENT}, {"vmstat", ABSENT}, {"zoneinfo", ABSENT}, {"buddyinfo", ABSENT},
    {"diskstats", ABSENT}, {"pressure", ABSENT}, {"cmdline", ABSENT}, {"modules", ABSENT}, {"sys/fs", ABSENT}};
enum { HIDDEN = sizeof hidden / sizeof hidden[0], FACTS_BYTES_MAX = 1 << 15 };

static char host_facts[FACTS_BYTES_MAX]; /* /proc/stat as everyone sees it */

/* Once, in the launcher. What only the host's root may open needs no mask: no process of a sandbox ever has that id. */
void look_at_proc(void) {
  char path[64];
  struct stat state;
  for (size_t i = 0; i < HIDDEN; i++) {
    snprintf(path, sizeof path, "/proc/%s", hidden[i].name);
    if (stat(path, &state) != 0 || (state.st_mode & (S_IROTH | S_IWOTH)) == 0) continue;
    hidden[i].kind = S_ISDIR(state.st_mode) ? DIRECTORY_SHOWN : FILE_SHOWN;
  }
  size_t at = (size_t)snprintf(host_facts, sizeof host_facts, "cpu  0 0 0 0 0 0 0 0 0 0\n");
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  for (long i = 0; i < cores && at < sizeof host_facts - 192; i++)
    at += (size_t)snprintf(host_facts + at, 64, "cpu%ld 0 0 0 0 0 0 0 0 0 0\n", i);
  snprintf(host_facts + at, sizeof host_facts - at, "intr 0\nctxt 0\nbtime 0\nprocesses 1\nprocs_running 1\nprocs_blocked 0\nsoftirq 0\n");
}

static int hide(void) {
  char path[64];
  for (size_t i = 0; i < HIDDEN; i++) {
    if (hidden[i].kind == ABSENT) continue;
    snprintf(path, sizeof path, "proc/%s", hidden[i].name);
    const char *empty = hidden[i].kind == DIRECTORY_SHOWN ? "raw/empty" : "raw/dev/null";
    int error = bind_tree(empty, AT_FDCWD, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, -1);
    if (error != 0 && error != ENOENT) return error;
  }
  return 0;
}

static int stand_in(const char *file, const char *for_what, const char *text) {
  int made = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  size_t size = strlen(text);
  bool written = made >= 0 && write(made, text, size) == (ssize_t)size;
  close_descriptor(&made);
  if (!written) return ENOSPC;
  return bind_tree(file, AT_FDCWD, for_what, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, -1);
}

int make_proc(void) {
  if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2") != 0) return errno;
  int error = bind_tree("proc/sys", AT_FDCWD, "proc/sys", MOUNT_ATTR_RDONLY, -1);
  if (error == 0) error = hide();
  if (error == 0 && mkdir("raw/facts", 0755) != 0) error = errno;
  if (error == 0) error = stand_in("raw/facts/stat", "proc/stat", host_facts);
  return error != 0 ? error : stand_in("raw/facts/loadavg", "proc/loadavg", "0.00 0.00 0.00 1/1 1\n");
}
