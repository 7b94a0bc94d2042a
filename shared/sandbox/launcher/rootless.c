/*
 * rootless.c: the launcher of an ordinary user. Before anything else it makes a user namespace in which it is root, and
 * executes itself again there; from then on only what is said here differs from root's launcher.
 *
 * Ids: 0 is the user himself, 1..65536 are his subordinate ids. A sandbox gets 0..65535 as 1..65536: the user's own id is in no
 * sandbox, and a layer on disk, which an ordinary user can't map, looks right in each of them. So all sandboxes of a user share
 * their ids. Without subordinate ids there is one id only: the program has it as 1000, and nothing that needs more is begun.
 * Devices can't be made: the host's are bound. What must stay true: root's launcher never takes a path of this file.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSIDE "envicutor-launcher-rootless" /* argv[0] of the second start */


bool rootless;
static uint32_t ids_held; /* 0..ids_held-1 exist in our namespace */

static bool in_first_namespace(void) {
  char text[64];
  unsigned long inside, outside, held;
  return read_text(AT_FDCWD, "/proc/self/uid_map", text, sizeof text) > 0 && sscanf(text, "%lu %lu %lu", &inside, &outside, &held) == 3 &&
         inside == 0 && outside == 0 && held == 0xFFFFFFFF;
}

/* How many ids from 0 upwards without a hole. */
static uint32_t ids_of(const char *map) {
  char text[4096];
  unsigned long next = 0;
  if (read_text(AT_FDCWD, map, text, sizeof text) < 0) return 0;
  for (char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
    unsigned long inside, held;
    if (sscanf(line, "%lu %*u %lu", &inside, &held) != 2 || inside != next) break;
    next += held;
    if (strchr(line, '\n') == NULL) break;
  }
  return next > 0xFFFFFFFF ? 0xFFFFFFFF : (uint32_t)next;
}

static _Noreturn void refuse_namespace(int error) {
  char sentence[256];
  snprintf(sentence, sizeof sentence, "root is missing, and a user namespace can't be made (%s)", strerror(error));
  if (read_number(AT_FDCWD, "/proc/sys/user/max_user_namespaces") == 0)
    refuse(sentence, "as root, sysctl user.max_user_namespaces=65536, or start us as root");
  if (read_number(AT_FDCWD, "/proc/sys/kernel/unprivileged_userns_clone") == 0)
    refuse(sentence, "as root, sysctl kernel.unprivileged_userns_clone=1, or start us as root");
  if (read_number(AT_FDCWD, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
    refuse(sentence, "as root, sysctl kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile with userns for us, or start us as root");
  refuse(sentence, "start us as root; in a container, allow user namespaces in its seccomp profile");
}

/* From outside: waits until the namespace is there, then maps. Its exit status: 0, or there are no subordinate ids. */
static pid_t start_mapper(int gate[2]) {
  pid_t launcher = getpid(), pid = fork();
  if (pid != 0) return pid;
  char byte;
  close(gate[1]);
  if (read(gate[0], &byte, 1) != 1) _exit(1); /* no namespace was made */
  _exit(map_subordinate_ids(launcher) ? 0 : 1);
}

static int map_own_id_only(unsigned user, unsigned group) {
  char text[64];
  if (ids_of("/proc/self/gid_map") == 0) {
    write_text(AT_FDCWD, "/proc/self/setgroups", "deny"); /* else the kernel takes no map of ours */
    snprintf(text, sizeof text, "0 %u 1\n", group);
    int result = write_text(AT_FDCWD, "/proc/self/gid_map", text);
    if (result < 0) return result;
  }
  snprintf(text, sizeof text, "0 %u 1\n", user);
  return ids_of("/proc/self/uid_map") > 0 ? 0 : write_text(AT_FDCWD, "/proc/self/uid_map", text);
}

static _Noreturn void enter(char **argv) {
  int gate[2], status = -1;
  unsigned user = (unsigned)getuid(), group = (unsigned)getgid();
  if (options.client_uid != 0 && options.client_uid != user)
    refuse("a launcher without root serves only its own user", "leave --client-uid out, or start us as root");
  if (pipe2(gate, O_CLOEXEC) != 0) refuse("a pipe can't be made", "raise the limit of open files");
  pid_t mapper = start_mapper(gate);
  if (mapper < 0) refuse("a process can't be started", "raise the limit of processes");
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) refuse_namespace(errno);
  if (write(gate[1], "m", 1) != 1) refuse("the process that maps ids is gone", "start us again");
  while (waitpid(mapper, &status, 0) < 0 && errno == EINTR) continue;
  int result = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : map_own_id_only(user, group);
  if (result < 0 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) refuse_namespace(result < 0 ? -result : errno);
  static char inside[] = INSIDE;
  argv[0] = inside;
  execv("/proc/self/exe", argv); /* so that the kernel counts our memory, and with it /proc, to the new namespace */
  refuse("we can't be executed again", "mount /proc");
}

void rootless_open(char **argv) {
  if (geteuid() != getuid()) refuse("we are a set-id program", "take the bit away (chmod ug-s) and start us as root or as yourself");
  bool first = in_first_namespace();
  if (geteuid() == 0 && first) return;
  if (geteuid() != 0 || strcmp(argv[0], INSIDE) != 0) enter(argv);
  rootless = true;
  options.client_uid = 0; /* which is the user himself */
  uint32_t users = ids_of("/proc/self/uid_map"), groups = ids_of("/proc/self/gid_map");
  ids_held = users < groups ? users : groups;
  setgroups(0, NULL); /* refused without subordinate ids: then "groups" is missing */
  missing("private-ids");
  missing("private-quotas");
  struct rlimit ours;
  if (getrlimit(RLIMIT_CORE, &ours) == 0 && ours.rlim_max == 0) missing("crash-handler");
  if (!one_id()) return;
  missing("subordinate-ids");
  missing("groups");
}

bool one_id(void) { return rootless && ids_held < BUILD_IDS; }

bool profile_needs_ids(uint8_t profile) { return program_user(profile) == 0; }

uint32_t outside_id(uint32_t base, uint32_t inside) { return !rootless ? base + inside : one_id() ? 0 : 1 + inside; }

void id_map(uint32_t base, char *into, size_t size) {
  if (!rootless)
    snprintf(into, size, "0 %u %d\n", base, BUILD_IDS);
  else if (one_id())
    snprintf(into, size, "%d 0 1\n", PROGRAM_USER_ID);
  else
    snprintf(into, size, "0 1 %u\n", ids_held - 1 < BUILD_IDS ? ids_held - 1 : BUILD_IDS);
}

/* Of a sandbox's user namespace: limits that are counted by owner must not be counted against a living user's id. */
uint32_t owner_id(uint32_t base) { return !rootless ? base + BUILD_IDS - 1 : one_id() ? 0 : ids_held - 1; }

int idmap_of_memory(const struct setup *setup) { return one_id() ? -1 : setup->user_namespace; }
int idmap_of_disk(const struct setup *setup) { return rootless ? -1 : setup->user_namespace; }

static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};

static int bind_each(const char *from_directory, const char *to_directory, bool make) {
  char from[64], to[64];
  for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
    snprintf(from, sizeof from, "%s/%s", from_directory, devices[i]);
    snprintf(to, sizeof to, "%s/%s", to_directory, devices[i]);
    int file = make ? open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    close_descriptor(&file);
    int error = bind_tree(from, AT_FDCWD, to, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, -1);
    if (error != 0) return error;
  }
  return 0;
}

int stage_devices(void) { return mkdir("devices", 0755) != 0 ? errno : bind_each("/dev", "devices", true); }
int bind_devices(const char *directory) { return bind_each("/devices", directory, false); }

/* The kernel lets us mount a /proc only where another one can be seen whole: the stage has one of no process at all. */
int stage_proc(void) {
  if (mkdir("visible", 0555) == 0 && mount("proc", "visible", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0) return 0;
  log_line(LOG_LEVEL_ERROR, "/proc can't be mounted: in a container parts of it are covered", "remedy",
           "podman --security-opt unmask=ALL, or docker --security-opt systempaths=unconfined");
  return errno;
}
