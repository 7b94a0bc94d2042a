/*
 * payload.c: the process that becomes the program: ahead of time it enters its cgroup and its user namespace and gives up
 * everything that no launch needs; then it waits for one order, does the rest in the order of the table and executes.
 * It never mounts (init does) and never returns to anything of ours after exec: every descriptor but 0, 1 and 2 closes.
 * What must stay true: a failure is {step, errno} on the line to init, and the line's silent end is the exec's success.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { INPUT, OUTPUT, ERRORS };

static _Noreturn void fail(const struct setup *setup, int step, int error) {
  struct note note = {.kind = NOTE_FAILED, .step = step, .error = error};
  if (write(setup->line, &note, sizeof note) < 0) _exit(126);
  _exit(127);
}

static int enter_cgroup(struct setup *setup) {
  int error = -cgroup_join(&setup->cgroup);
  if (error != 0) return error;
  setup->cpu_before_ns = cgroup->name == CGROUP_V2 ? 0 : process_cpu_ns();
  if (unshare(CLONE_NEWCGROUP) != 0) return errno;
  write_text(setup->proc, "self/oom_score_adj", "500"); /* in need of memory the host takes programs first */
  return 0;
}

static int give_standard_streams(struct setup *setup) {
  uid_t user = outside_id(setup->base, program_user(setup->profile));
  /* Ours are 0, 1 and 2 already, as shell.c placed them, and inheritable; everything else closes at exec. */
  for (int i = INPUT; i <= ERRORS; i++) /* so that /dev/stdin and its like can be opened */
    if (fchown(i, user, user) != 0) return errno;
  return close_range(ERRORS + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0 ? 0 : errno;
}

static char **to_strings(struct list list) {
  struct slice item;
  char **strings = calloc((size_t)list.count + 1, sizeof *strings);
  for (size_t i = 0; strings != NULL && next_string(&list, &item); i++) strings[i] = slice_text(item);
  return strings;
}

static int receive_order(struct setup *setup) {
  static uint8_t packet[sizeof(struct order) + ORDER_INLINE_MAX];
  struct order order;
  int descriptors[3];
  size_t count = 3;
  ssize_t got = receive_packet(setup->orders, packet, sizeof packet, descriptors, &count, 0);
  if (got <= 0) _exit(0); /* never taken: the launcher is gone or has no use for us */
  if ((size_t)got < sizeof order) return EPROTO;
  memcpy(&order, packet, sizeof order);
  if (count != (size_t)order.pinned + order.terminal + order.in_memfd) return EPROTO;
  const uint8_t *frame = packet + sizeof order;
  if (order.in_memfd != 0) {
    frame = mmap(NULL, order.size, PROT_READ, MAP_PRIVATE, descriptors[count - 1], 0);
    close(descriptors[count - 1]);
    if (frame == MAP_FAILED) return errno;
    setup->frame = frame;
    setup->frame_size = order.size;
  }
  setup->cpuset = order.pinned != 0 ? descriptors[0] : -1;
  setup->program_terminal = order.terminal != 0 ? descriptors[order.pinned] : -1;
  setup->ordered_at = order.sent;
  if (!decode_message(frame, order.size, &setup->launch)) return EPROTO;
  setup->argv = to_strings(setup->launch.LAUNCH_argv);
  setup->environment = to_strings(setup->launch.LAUNCH_environment);
  setup->directory = slice_text(setup->launch.LAUNCH_directory);
  return setup->argv == NULL || setup->environment == NULL ? ENOMEM : 0;
}

static int enter_cpuset(struct setup *setup) { return setup->cpuset < 0 || write(setup->cpuset, "0", 1) == 1 ? 0 : errno; }

/* Whoever has processors of its own is measured: neither the layout of its memory nor huge pages are to differ from run to run. */
static int steady_memory(struct setup *setup) {
  if (setup->launch.LAUNCH_cpus.size == 0) return 0; /* not by the descriptor: under cgroup v2 there is none to enter */
  if (personality(ADDR_NO_RANDOMIZE) < 0) return errno;
  return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 ? 0 : errno;
}

static int enter_directory(struct setup *setup) { return chdir(setup->directory) == 0 ? 0 : errno; }

static const char *path_variable(char **environment) {
  for (; *environment != NULL; environment++)
    if (strncmp(*environment, "PATH=", 5) == 0) return *environment + 5;
  return "/usr/local/bin:/usr/bin:/bin";
}

/* Like execvp, but nothing is handed to a shell, and the current directory is no place to look unless it is named. */
static int execute_from_path(struct setup *setup) {
  static char candidate[8192];
  int error = ENOENT;
  for (const char *part = path_variable(setup->environment); *part != '\0';) {
    size_t length = strcspn(part, ":");
    int size = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, part, setup->argv[0]);
    if (length > 0 && size < (int)sizeof candidate) {
      execve(candidate, setup->argv, setup->environment);
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return errno;
      if (errno == EACCES) error = EACCES;
    }
    part += length + (part[length] == ':' ? 1 : 0);
  }
  return error;
}

static int execute(struct setup *setup) {
  struct rusage own;
  if (setup->frame != NULL) munmap((void *)(uintptr_t)setup->frame, setup->frame_size); /* else the program's time pays for it */
  getrusage(RUSAGE_SELF, &own);
  /* In shared memory: a message would wake init on our way. */
  *setup->about = (struct note){.kind = NOTE_ABOUT_TO_EXEC,
                                .monotonic = setup->ordered_at,
                                .exec_at = monotonic_ns(),
                                .cpu_ns = process_cpu_ns() - setup->cpu_before_ns,
                                .user_ns = time_ns(own.ru_utime),
                                .system_ns = time_ns(own.ru_stime),
                                .voluntary = (uint64_t)own.ru_nvcsw,
                                .involuntary = (uint64_t)own.ru_nivcsw};
  if (strchr(setup->argv[0], '/') == NULL) return execute_from_path(setup);
  execve(setup->argv[0], setup->argv, setup->environment);
  return errno;
}

struct step {
  uint8_t step;
  int (*run)(struct setup *setup);
};

static int share_limits(struct setup *setup) { return rootless ? fix_counted_limits(setup) : 0; }

static const struct step ahead[] = {
    {STEP_CGROUP, enter_cgroup},
    {STEP_LIMITS, fix_limits},
    {STEP_LIMITS, give_standard_streams},
    {STEP_PRIVILEGES, become_program},
    {STEP_LIMITS, share_limits},
    {STEP_SECCOMP, install_filter},
};

static const struct step on_order[] = {
    {STEP_SHELL, receive_order},
    {STEP_CGROUP, enter_cpuset},
    {STEP_LIMITS, steady_memory},
    {STEP_TERMINAL, take_terminal},
    {STEP_FILES, write_files},
    {STEP_LIMITS, apply_limits},
    {STEP_DIRECTORY, enter_directory},
    {STEP_PRIVILEGES, drop_capabilities},
    {STEP_EXEC, execute},
};

static void take(struct setup *setup, const struct step *steps, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int error = steps[i].run(setup);
    if (error != 0) fail(setup, steps[i].step, error);
  }
}

void payload_main(struct setup *setup) {
  close(setup->notes);
  prctl(PR_SET_NAME, "envicutor-shell");
  take(setup, ahead, sizeof ahead / sizeof ahead[0]);
  take(setup, on_order, sizeof on_order / sizeof on_order[0]);
  fail(setup, STEP_EXEC, ENOSYS);
}
