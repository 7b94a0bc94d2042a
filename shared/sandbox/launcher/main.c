/*
 * main.c: the launcher's theory of operation, its start and its end.
 *
 * One resident process per client (an agent, a builder) makes sandboxes and runs one program in each. Everything that a
 * sandbox needs and no launch changes is done ahead of time, in a child:
 *
 *   launcher --clone--> init of a new pid namespace --clone--> payload
 *            <--notes, words-->                     <--line-->
 *            ----------------------- orders -------------------->
 *
 * init (init.c) has the host's rights and none of its sights: it leaves the host's tree for a copy of an empty one
 * (template.c), makes namespaces, forks the payload, and then /proc, /dev and a sized tmpfs. The payload (payload.c)
 * meanwhile enters its cgroup and a user namespace of its own (init maps 65,536 private ids into it), gives up ids,
 * capabilities and system calls, and waits for its order. Together they are a shell, used once.
 *
 * When the layers are known, init mounts them as an overlay, places what it prepared, and changes the root, its own and
 * the waiting payload's. The stock (stock.c) has that done ahead of time for the layers of recent launches (chains.c), so
 * that a LAUNCH frame mostly finds a shell in which nothing is left to mount: the launcher writes the cgroup's limits where
 * they differ, our own files and the disk's size, and sends the frame to the payload, which writes the program's files,
 * lowers its rlimits, drops the last capabilities and executes. All namespaces but the payload's user namespace were made
 * by real root and belong to the initial user namespace: root inside a build has no capability over any of them.
 *
 * The launcher forwards output and enforces limits by deadlines that it computes (deadlines.c), never by polling, and
 * records why before it kills. It kills by telling init, which kills every process of its pid namespace at once,
 * reaps them and reports what they used; if init does not answer, its own death takes the namespace with it. Then the
 * counters are read, the pipes drained, files that were asked for copied out by a process of its own (collector.c), and
 * one REPORT sent. Cgroups and file trees are removed by the sweeper.
 *
 * Without root (rootless.c) it executes itself again as root of a user namespace of its own; what is said of real root and
 * of the initial user namespace then holds for that one, and what such a user can't have is named to every client (missing.c).
 *
 * If the launcher dies, every init dies (PR_SET_PDEATHSIG, and end of file on its socket), and with it every sandbox.
 * A start sweeps what a killed predecessor of the same --cgroup name left.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* /run is root's. What an ordinary user can mount upon in his namespace is hidden by it there: this directory nobody needs. */
static void choose_stage(void) {
  static char store[64];
  if (rootless) stage_directory = "/sys/kernel";
  snprintf(store, sizeof store, "%s/store", stage_directory);
  if (options.store == NULL) options.store = store;
}

enum { LARGE_BYTES = 1 << 16 };

/* A mount namespace of our own: kept layers are attached here, seen by nobody else, and gone with us. */
static void open_stage(void) {
  char below[64];
  choose_stage();
  if (mkdir(stage_directory, 0700) != 0 && errno != EEXIST)
    refuse("the stage's directory can't be made", rootless ? "mount sysfs on /sys" : "mount a writable tmpfs on /run");
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
    refuse("a mount namespace can't be made", "run as root, in a container with --privileged");
  bool made = mount("envicutor", stage_directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=1m") == 0 &&
              mount(NULL, stage_directory, NULL, MS_PRIVATE, NULL) == 0;
  for (int i = 0; i < 2; i++) {
    snprintf(below, sizeof below, "%s/%s", stage_directory, i == 0 ? "shell" : "kept");
    made = made && mkdir(below, 0700) == 0;
  }
  if (!made) refuse("a tmpfs can't be mounted", "run as root, in a container with --privileged");
  snprintf(below, sizeof below, "%s/device", stage_directory);
  devices_bound = mknod(below, S_IFCHR | 0600, makedev(1, 3)) != 0; /* a container or a user may not */
  unlink(below);
  if (devices_bound) missing("private-devices");
}

static void prepare_process(void) {
  for (int descriptor; (descriptor = open("/dev/null", O_RDWR)) <= STDERR_FILENO;) /* 0, 1, 2 are never something else */
    if (descriptor < 0) exit(EXIT_REFUSED);
  close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  struct rlimit files = {1 << 20, 1 << 20};
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < OPEN_FILES_PLENTY) missing("open-files"); /* root without CAP_SYS_RESOURCE, or a user */
  }
  umask(077);
  mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* fixed: what a slow client made us queue goes back to the host, not into the heap's holes */
  mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
  prctl(PR_SET_DUMPABLE, 0);
  if (write_text(AT_FDCWD, "/proc/self/oom_score_adj", "-900") != 0) missing("oom-score");
  /* Limits are enforced in time, however busy the programs are; children go back to 0. */
  if (setpriority(PRIO_PROCESS, 0, -10) != 0) missing("priority");
  struct sched_param first = {.sched_priority = 1}, plain = {.sched_priority = 0}; /* as init.c will want it */
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first) != 0) missing("realtime");
  sched_setscheduler(0, SCHED_OTHER, &plain);
}

static pid_t launcher;
static bool ended;

static void end_everything(void) {
  ended = true;
  clients_close();
  stock_close();
  uint64_t patience = monotonic_ns() + 5 * NS_PER_S;
  while (!stock_empty() && monotonic_ns() < patience) loop_turn(100);
  sweeper_close();
  cgroup->close();
}

/* Refused half-way: the name is ours already, so nobody else's groups lie below it. */
static void leave_no_cgroup(void) {
  if (ended || getpid() != launcher) return;
  loop_stop();
  end_everything();
}

int main(int argc, char **argv) {
  options_read(argc, argv);
  rootless_open(argv);
  prepare_process();
  loop_open();
  cgroup_open();
  launcher = getpid();
  atexit(leave_no_cgroup);
  open_stage();
  template_open();
  build_filters();
  look_at_proc();
  store_open();
  sweeper_open();
  stock_open();
  store_sweep();
  clients_open();
  log_line(LOG_LEVEL_INFO, "launcher started", "release", RELEASE);
  stock_keep_up();
  loop_run();
  end_everything();
  log_line(LOG_LEVEL_INFO, "launcher ended", NULL, NULL);
  return 0;
}
