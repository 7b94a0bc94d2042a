/*
 * egress.c: starts one egress proxy for one build: the host's network, the client's user, no capability, six descriptors.
 * It never reads the proxy's configuration or records; both pass through.
 * What must stay true: the proxy ends after the build's last process and before its report, and never outlives us.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS (5 * NS_PER_S)
enum { ARGUMENTS_MAX = 16, OPEN_FILES = 65536, NOT_EXECUTED = 127, USER_FOR_ROOT = 0x7FFF000F };

static int drop_all(uid_t user, gid_t group) {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  if ((setgroups(0, NULL) != 0 && !rootless) || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0) return -1;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}, {0}};
  if (syscall(SYS_capset, &header, none) != 0) return -1;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static _Noreturn void become_proxy(const struct client *client, const int descriptors[6]) {
  char *arguments[ARGUMENTS_MAX + 1] = {NULL}, *command = strdup(options.egress_command);
  static char *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/nonexistent", NULL};
  size_t count = 0;
  for (char *word = strtok(command, " "); word != NULL && count < ARGUMENTS_MAX; word = strtok(NULL, " ")) arguments[count++] = word;
  int moved[6];
  for (int i = 0; i < 6; i++) moved[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 6);
  for (int i = 0; i < 6; i++)
    if (moved[i] < 0 || dup2(moved[i], i) < 0) _exit(NOT_EXECUTED);
  close_range(6, ~0U, 0);
  struct rlimit files = {OPEN_FILES, OPEN_FILES};
  setrlimit(RLIMIT_NOFILE, &files);
  uid_t user = client->uid == 0 && !rootless ? USER_FOR_ROOT : client->uid;
  gid_t group = client->uid == 0 && !rootless ? USER_FOR_ROOT : client->gid;
  sigset_t none;
  sigemptyset(&none);
  if (drop_all(user, group) != 0) _exit(NOT_EXECUTED);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the ids changed: that clears it */
  if (chdir("/") == 0 && count > 0) execve(arguments[0], arguments, environment);
  _exit(NOT_EXECUTED);
}

static void egress_ended(struct child *child, int status) {
  struct launch *launch = (struct launch *)((char *)child - offsetof(struct launch, egress));
  launch->egress_alive = false;
  if (!launch->ended) {
    log_line(LOG_LEVEL_WARN, "egress proxy ended before its build", NULL, NULL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_EXECUTED) launch_failed(launch, STEP_EGRESS, ENOEXEC);
  }
  launch_progress(launch);
}

static int configuration(const struct launch *launch) {
  int file = memfd_create("egress", MFD_CLOEXEC);
  struct slice bytes = launch->message.LAUNCH_egressConfig;
  if (file >= 0 && write(file, bytes.data, bytes.size) == (ssize_t)bytes.size && lseek(file, 0, SEEK_SET) == 0) return file;
  close_descriptor(&file);
  return -1;
}

void egress_start(struct launch *launch, const int sockets[3]) {
  int records[2] = {-1, -1}, input = configuration(launch);
  pid_t pid = -1;
  if (launch->client != NULL && !launch->egress_alive && input >= 0 && pipe2(records, O_CLOEXEC) == 0) {
    const int descriptors[6] = {input, records[1], STDERR_FILENO, sockets[0], sockets[1], sockets[2]};
    pid = clone_process(0, -1, NULL);
    if (pid == 0) become_proxy(launch->client, descriptors);
  }
  close_descriptor(&input);
  close_descriptor(&records[1]);
  if (pid < 0) {
    close_descriptor(&records[0]);
    launch_failed(launch, STEP_EGRESS, errno);
    return;
  }
  launch->egress_alive = true;
  watch_child(&launch->egress, pid, egress_ended);
  fcntl(records[0], F_SETFL, O_NONBLOCK);
  stream_open(launch, 2, records[0]);
}

void egress_stop(struct launch *launch) {
  if (!launch->egress_alive) return;
  kill(launch->egress.pid, SIGTERM);
  launch->egress_deadline = monotonic_ns() + PATIENCE_NS;
}
