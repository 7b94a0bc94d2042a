/*
 * kernel_text.c: any bytes where the launcher reads a file of the kernel's: counters, cgroup members, a pidfd's facts.
 * It never reads a real file and never signals: openat, read and kill are this file's. What must stay true: a process is
 * killed only when a whole line of the file names it, however long the file is.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static struct input content;

static int fake_openat(int directory, const char *path, int flags, ...) {
  (void)directory, (void)path, (void)flags;
  return content.at == NULL ? -1 : 1 << 20;
}

static ssize_t fake_read(int descriptor, void *into, size_t room) {
  if (descriptor != 1 << 20) return -1;
  size_t size = (size_t)(content.end - content.at);
  if (size > room) size = room;
  if (size > 0) memcpy(into, content.at, size);
  return (ssize_t)size;
}

static int fake_close(int descriptor) {
  insist(descriptor == 1 << 20);
  return 0;
}

static const uint8_t *unclaimed; /* the first that no kill has come to yet */

/* Is it a whole line, the next such one? */
static int fake_kill(pid_t pid, int signal) {
  char number[32];
  size_t size = (size_t)snprintf(number, sizeof number, "%d", (int)pid);
  insist(signal == SIGKILL && pid > 1);
  for (;;) {
    const uint8_t *end = memchr(unclaimed, '\n', (size_t)(content.end - unclaimed));
    if (end == NULL) fprintf(stderr, "no line names process %d\n", (int)pid);
    insist(end != NULL);
    const uint8_t *at = unclaimed;
    while (at < end && memchr(" \t\v\f\r+0", *at, 7) != NULL) at++; /* as strtol does; the kernel writes none of them */
    unclaimed = end + 1;
    if ((size_t)(end - at) == size && memcmp(at, number, size) == 0) return 0;
  }
}

#define openat fake_openat
#define read fake_read
#define pread(descriptor, into, room, offset) fake_read(descriptor, into, room)
#define close fake_close
#define kill fake_kill
#include "../kernel.c"
#include "../cgroup.c"
#include "../ids.c"
#undef openat
#undef read
#undef pread
#undef close
#undef kill

static void read_counters(const struct cgroup_driver *driver) {
  static const int counters[CGROUP_COUNTERS] = {1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20};
  struct cgroup_usage usage;
  driver->read_usage(counters, &usage);
  insist(driver->oom_kills(counters) == usage.oom_kills);
  insist(driver->cpu_ns(counters) == usage.cpu_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 14) return 0;
  char text[64];
  content = (struct input){data, data + size};
  ssize_t got = read_text(0, "any", text, sizeof text);
  insist(got >= 0 && got < (ssize_t)sizeof text && text[got] == '\0' && (size_t)got == (size < 63 ? size : 63));
  read_number(0, "any");
  read_counters(&cgroup_v1);
  read_counters(&cgroup_v2);
  unclaimed = data;
  kill_members(0);
  int pid = host_pid(AT_FDCWD, 3);
  insist(pid == -ESRCH || pid > 0);
  return 0;
}
