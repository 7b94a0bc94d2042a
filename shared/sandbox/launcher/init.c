/*
 * init.c: process 1 of a sandbox's pid namespace, ours. It makes the namespaces, forks the payload, makes the stage beside
 * it, mounts the layers when told which, stamps when the program began and ended, kills and reaps everyone and says what they used.
 * It never enters the payload's cgroup, never runs the program's code and can be neither signalled nor traced from inside.
 * What must stay true: it dies with the launcher, and the whole sandbox dies with it.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT, OUTPUT, ERRORS, ORDERS, NOTES, LOCK, TEMPLATE }; /* as shell.c leaves them; LOCK keeps the id range ours */

struct program {
  pid_t pid;
  int notes, line, signals;
  const struct note *about; /* shared with the payload until its exec */
  bool failed, ended;
  struct note start, end;
  struct rusage before; /* of our own earlier children */
};

static int harden(struct setup *setup) {
  (void)setup;
  sigset_t all;
  sigfillset(&all);
  if (sigprocmask(SIG_BLOCK, &all, NULL) != 0 || signal(SIGCHLD, SIG_DFL) == SIG_ERR) return errno;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NAME, "envicutor-init") != 0) return errno;
  return prctl(PR_SET_SECUREBITS, 1 << 2 /* no set-id fix-up: act_as keeps capabilities */) == 0 ? 0 : errno;
}

static int make_namespaces(struct setup *setup) {
  (void)setup;
  if (setns(TEMPLATE, CLONE_NEWNS) != 0 || close(TEMPLATE) != 0) return errno;
  if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) return errno;
  return sethostname("envicutor", 9) == 0 && setdomainname("", 0) == 0 ? 0 : errno;
}

static int make_payload(struct setup *setup);

struct step {
  uint8_t step;
  int (*run)(struct setup *setup);
};

static const struct step preparation[] = {
    {STEP_SHELL, harden},
    {STEP_MOUNTS, prepare_host_view},
    {STEP_SHELL, make_namespaces},
    {STEP_NETWORK, prepare_network},
    {STEP_IDS, make_payload}, /* from here on it makes itself ready beside us */
    {STEP_MOUNTS, prepare_stage},
    {STEP_MOUNTS, build_host_view},
};

static const struct step mounting[] = {
    {STEP_EGRESS, open_egress}, {STEP_LAYERS, attach_layers}, {STEP_OVERLAY, mount_root},
    {STEP_TERMINAL, open_terminal}, {STEP_MOUNTS, place_mounts}, {STEP_PIVOT, enter_root},
};

/* The line's end of file is the exec's success, or a death on the way to it: only what was written tells them apart. */
static void read_line(struct program *program) {
  struct note note;
  for (;;) {
    ssize_t got = read(program->line, &note, sizeof note);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got != (ssize_t)sizeof note) break;
    program->failed = true;
    send_packet(program->notes, &note, sizeof note, NULL, 0);
  }
  program->start = *program->about;
  /* Seen only when the program is dead already: then the moment before the exec is the better one. */
  uint64_t now = program->ended ? program->start.exec_at : monotonic_ns();
  close_descriptor(&program->line);
  if (program->start.kind != NOTE_ABOUT_TO_EXEC || program->failed) return;
  program->start.kind = NOTE_STARTED;
  program->start.realtime = realtime_ns();
  program->start.exec_ns = now - program->start.monotonic;
  program->start.monotonic = now;
  send_packet(program->notes, &program->start, sizeof program->start, NULL, 0);
}

static void reap_some(struct program *program) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != program->pid) continue;
    program->end.monotonic = monotonic_ns();
    program->end.realtime = realtime_ns();
    program->end.status = status;
    program->ended = true;
  }
}

/* kill(-1) reaches every process of the namespace but us, and no fork slips through: a fork fails with a signal pending. */
static _Noreturn void finish(struct program *program) {
  struct rusage all;
  struct sched_param plain = {.sched_priority = 0};
  sched_setscheduler(0, SCHED_OTHER, &plain); /* thousands to reap are no reason to hold up the neighbours */
  if (program->line >= 0) read_line(program);
  kill(-1, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
  getrusage(RUSAGE_CHILDREN, &all);
  struct note *note = &program->end;
  note->kind = NOTE_ENDED;
  note->user_ns = time_ns(all.ru_utime) - time_ns(program->before.ru_utime);
  note->system_ns = time_ns(all.ru_stime) - time_ns(program->before.ru_stime);
  note->voluntary = (uint64_t)(all.ru_nvcsw - program->before.ru_nvcsw);
  note->involuntary = (uint64_t)(all.ru_nivcsw - program->before.ru_nivcsw);
  send_packet(program->notes, note, sizeof *note, NULL, 0);
  _exit(0);
}

static void mount_layers(struct setup *setup) {
  struct note note = {.kind = NOTE_PREPARED};
  for (size_t i = 0; i < sizeof mounting / sizeof mounting[0] && note.error == 0; i++) {
    note.error = mounting[i].run(setup);
    note.step = mounting[i].step;
  }
  for (size_t i = 0; i < setup->descriptor_count; i++) close(setup->descriptors[i]);
  if (note.error != 0) {
    note.kind = NOTE_FAILED;
    kill(-1, SIGKILL);
  }
  send_packet(setup->notes, &note, sizeof note, setup->terminal, note.error == 0 && setup->word.terminal != 0 ? 2 : 0);
  close_descriptor(&setup->terminal[1]); /* we keep the side that tells who is in the foreground */
}

/* Asked here, where a number means a process of this sandbox and nothing else; a new terminal has nobody there. */
static void signal_foreground(const struct setup *setup) {
  pid_t group = 0;
  if (setup->terminal[0] >= 0 && ioctl(setup->terminal[0], TIOCGPGRP, &group) == 0 && group > 1) kill(-group, setup->word.signal);
}

static void hear_launcher(struct setup *setup) {
  setup->descriptor_count = sizeof setup->descriptors / sizeof setup->descriptors[0];
  memset(&setup->word, 0, sizeof setup->word);
  ssize_t got = receive_packet(setup->notes, &setup->word, sizeof setup->word, setup->descriptors, &setup->descriptor_count, MSG_DONTWAIT);
  if (got == 0) _exit(0); /* the launcher is gone: so is this sandbox */
  if (got < (ssize_t)sizeof setup->word.kind) return;
  if (setup->word.kind == WORD_PREPARE)
    mount_layers(setup);
  else if (setup->word.kind == WORD_SIGNAL)
    signal_foreground(setup);
  else
    kill(-1, SIGKILL);
}

static _Noreturn void supervise(struct setup *setup, struct program *program) {
  enum { PIPE, SIGNALS, LAUNCHER, POLLED };
  for (;;) {
    struct pollfd polled[POLLED] = {{.fd = program->line, .events = POLLIN}, {.fd = program->signals, .events = POLLIN}, {.fd = program->notes, .events = POLLIN}};
    if (poll(polled, POLLED, -1) < 0) continue;
    if (polled[PIPE].revents != 0) read_line(program);
    if (polled[LAUNCHER].revents != 0) hear_launcher(setup);
    if (polled[SIGNALS].revents == 0) continue;
    struct signalfd_siginfo information;
    while (read(program->signals, &information, sizeof information) > 0) continue;
    reap_some(program);
    if (program->ended) finish(program);
  }
}

static struct program program = {.line = -1, .signals = -1};

/* Cloned before there is a stage: its own way to readiness and ours go side by side. */
static int make_payload(struct setup *setup) {
  int ends[2], pidfd = -1;
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  program.signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (program.signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  void *about = mmap(NULL, sizeof *setup->about, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (about == MAP_FAILED) return errno;
  program.about = setup->about = about;
  getrusage(RUSAGE_CHILDREN, &program.before);
  program.pid = clone_process(0, setup->cgroup.clone_into, &pidfd);
  if (program.pid < 0) return errno;
  if (program.pid == 0) {
    close(ends[0]);
    setup->line = ends[1];
    payload_main(setup);
  }
  program.line = ends[0];
  close(ends[1]);
  cgroup_entry_close(&setup->cgroup);
  setup->user_namespace = map_user_namespace(setup->base, setup->proc, pidfd, program.line);
  close(pidfd);
  return setup->user_namespace < 0 ? -setup->user_namespace : 0;
}

/* If the payload said why, its word counts. */
static _Noreturn void give_up(int notes, int step, int error) {
  struct note note = {.kind = NOTE_FAILED, .step = step, .error = error}, why;
  if (program.line >= 0 && recv(program.line, &why, sizeof why, MSG_DONTWAIT) == (ssize_t)sizeof why && why.kind == NOTE_FAILED) note = why;
  send_packet(notes, &note, sizeof note, NULL, 0);
  _exit(1);
}

void init_main(uint8_t profile, uint64_t number, uint32_t base, const struct cgroup_entry *entry) {
  struct setup setup = {.profile = profile, .number = number, .base = base, .orders = ORDERS, .notes = NOTES, .line = -1,
                        .user_namespace = -1, .space = -1, .terminal = {-1, -1}, .cgroup = *entry};
  setup.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (setup.proc < 0) give_up(NOTES, STEP_SHELL, errno);
  program.notes = NOTES;
  for (size_t i = 0; i < sizeof preparation / sizeof preparation[0]; i++) {
    int error = preparation[i].run(&setup);
    if (error != 0) give_up(NOTES, preparation[i].step, error);
  }
  close(setup.proc);
  /* What we stamp must not wait for the programs that we measure; finish() gives it back. */
  struct sched_param first = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first) != 0) setpriority(PRIO_PROCESS, 0, -15);
  struct note ready = {.kind = NOTE_READY};
  int descriptors[2 + CGROUP_COUNTERS] = {setup.space, entry->oom};
  memcpy(descriptors + 2, entry->counters, sizeof entry->counters);
  if (send_packet(NOTES, &ready, sizeof ready, descriptors, 2 + CGROUP_COUNTERS) != 0) _exit(1);
  for (size_t i = 0; i < 2 + CGROUP_COUNTERS; i++) close(descriptors[i]);
  close_range(INPUT, ORDERS, 0);
  supervise(&setup, &program);
}
