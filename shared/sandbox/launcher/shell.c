/*
 * shell.c: the launcher's side of one sandbox: starts its init, hears its notes, frees what it held.
 * It never waits: everything slow happens in init. What must stay true: the child keeps its own descriptors (the
 * program's 0, 1, 2, two sockets, id lock, template, cgroup) and none of another shell, client or store.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT, OUTPUT, ERRORS, ORDERS, NOTES, LOCK, TEMPLATE, KEPT, PLACES_MAX = CGROUP_ENTRIES_MAX + 2 + CGROUP_COUNTERS, READY_DESCRIPTORS = 2 + CGROUP_COUNTERS };

static uint64_t next_shell_number = 1;

struct ends { /* ours and the child's; -1 when not open */
  int ours[NOTES + 1], theirs[NOTES + 1];
};

static void close_all(int *descriptors) {
  for (int i = 0; i <= NOTES; i++) close_descriptor(&descriptors[i]);
}

static int open_ends(struct ends *ends) {
  int pair[2];
  for (int i = INPUT; i <= ERRORS; i++) {
    if (pipe2(pair, O_CLOEXEC) != 0) return errno;
    ends->ours[i] = pair[i == INPUT ? 1 : 0];
    ends->theirs[i] = pair[i == INPUT ? 0 : 1];
    if (fcntl(ends->ours[i], F_SETFL, O_NONBLOCK | (i == INPUT ? O_WRONLY : O_RDONLY)) != 0) return errno;
  }
  for (int i = ORDERS; i <= NOTES; i++) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return errno;
    ends->ours[i] = pair[0];
    ends->theirs[i] = pair[1];
  }
  return 0;
}

static int *place_of(struct cgroup_entry *entry, size_t i) {
  if (i < CGROUP_ENTRIES_MAX) return &entry->descriptors[i];
  if (i == CGROUP_ENTRIES_MAX) return &entry->clone_into;
  return i == CGROUP_ENTRIES_MAX + 1 ? &entry->oom : &entry->counters[i - CGROUP_ENTRIES_MAX - 2];
}

/* Descriptors first move out of the way, then into their places: KEPT of them, then those of the cgroup; the rest closes. */
static _Noreturn void become_init(const struct shell *shell, const int *theirs) {
  struct cgroup_entry entry;
  int *places[PLACES_MAX] = {NULL};
  int moved[KEPT + PLACES_MAX], count = KEPT;
  int error = -cgroup_prepare(shell->number, &shell->limits, &entry);
  if (error != 0) {
    struct note note = {.kind = NOTE_FAILED, .step = STEP_CGROUP, .error = error};
    send_packet(theirs[NOTES], &note, sizeof note, NULL, 0);
    _exit(1);
  }
  for (int i = 0; i < KEPT; i++) {
    int descriptor = i == LOCK ? shell->range.lock : i == TEMPLATE ? template_namespace() : theirs[i];
    moved[i] = fcntl(descriptor, F_DUPFD_CLOEXEC, KEPT + PLACES_MAX);
  }
  for (size_t i = 0; i < PLACES_MAX; i++) {
    int *place = place_of(&entry, i);
    if (*place < 0) continue;
    places[count - KEPT] = place;
    moved[count++] = fcntl(*place, F_DUPFD_CLOEXEC, KEPT + PLACES_MAX);
  }
  for (int i = 0; i < count; i++) {
    if (moved[i] < 0 || dup3(moved[i], i, i <= ERRORS ? 0 : O_CLOEXEC) < 0) _exit(1);
    if (i >= KEPT && places[i - KEPT] != NULL) *places[i - KEPT] = i;
  }
  close_range((unsigned)count, ~0U, 0);
  init_main(shell->profile, shell->number, shell->range.base, &entry);
}

/* READY brings the writable layer's tmpfs, the event and the counters of its cgroup, EGRESS three sockets, PREPARED a terminal if asked. */
static void hear(struct shell *shell, const struct note *note, int *descriptors, size_t count) {
  if (note->kind == NOTE_READY && count == READY_DESCRIPTORS && shell->space < 0) {
    shell->space = descriptors[0];
    shell->oom = descriptors[1];
    memcpy(shell->counters, descriptors + 2, sizeof shell->counters);
    memset(descriptors, 0xff, READY_DESCRIPTORS * sizeof *descriptors);
    stock_shell_ready(shell);
  } else if (note->kind == NOTE_EGRESS && count == 3 && shell->launch != NULL) {
    egress_start(shell->launch, descriptors);
    const uint32_t go_on = WORD_GO_ON;
    if (shell->notes.descriptor >= 0) send_packet(shell->notes.descriptor, &go_on, sizeof go_on, NULL, 0);
  } else if (note->kind == NOTE_PREPARED) {
    if (count == 2 && shell->launch != NULL) terminal_start(shell->launch, descriptors);
    stock_shell_prepared(shell);
  } else if (shell->launch != NULL) {
    launch_note(shell->launch, note);
  } else if (note->kind == NOTE_FAILED) {
    stock_shell_failed(shell, note->step, note->error);
  }
}

static void note_ready(struct source *source, uint32_t events) {
  (void)events;
  struct shell *shell = (struct shell *)((char *)source - offsetof(struct shell, notes));
  struct note note;
  for (;;) {
    int descriptors[READY_DESCRIPTORS];
    size_t count = READY_DESCRIPTORS;
    ssize_t got = receive_packet(source->descriptor, &note, sizeof note, descriptors, &count, MSG_DONTWAIT);
    if (got == -EAGAIN) return;
    if (got == (ssize_t)sizeof note) hear(shell, &note, descriptors, count);
    for (size_t i = 0; i < count; i++) close_descriptor(&descriptors[i]);
    if (got != (ssize_t)sizeof note) break;
    if (source->descriptor < 0) return;
  }
  unwatch(source); /* init is gone or about to be: shell_ended follows */
}

static void shell_ended(struct child *child, int status) {
  (void)status;
  struct shell *shell = (struct shell *)child;
  if (shell->notes.descriptor >= 0) note_ready(&shell->notes, 0); /* its last words may still be unread */
  shell->state = SHELL_OVER;
  struct launch *launch = shell->launch;
  if (launch != NULL) launch_lost(launch);
  stock_shell_gone(shell);
  unwatch(&shell->notes);
  close_descriptor(&shell->orders);
  close_descriptor(&shell->oom);
  for (size_t i = 0; i < CGROUP_COUNTERS; i++) close_descriptor(&shell->counters[i]);
  for (size_t i = 0; i < 3; i++) close_descriptor(&shell->pipes[i]);
  if (shell->space >= 0) sweep_descriptor(shell->space);
  shell->space = -1;
  release_range(&shell->range);
  sweep_cgroup(shell->number);
  free(shell->chain);
  free_later(shell);
}

struct shell *shell_make(uint8_t profile, const struct cgroup_limits *limits) {
  struct ends ends;
  struct shell *shell = calloc(1, sizeof *shell);
  if (shell == NULL) return NULL;
  memset(&ends, 0xff, sizeof ends);
  *shell = (struct shell){.state = SHELL_MAKING, .profile = profile, .number = next_shell_number, .space = -1, .oom = -1, .orders = -1,
                          .range = {.lock = -1}, .limits = *limits};
  memset(shell->counters, 0xff, sizeof shell->counters);
  int error = -claim_range(&shell->range);
  if (error == 0) error = open_ends(&ends);
  pid_t pid = error == 0 ? clone_process(CLONE_NEWPID, -1, NULL) : -1;
  if (pid == 0) become_init(shell, ends.theirs);
  if (pid < 0) {
    if (error == 0) error = errno;
    close_all(ends.ours);
    close_all(ends.theirs);
    release_range(&shell->range);
    free(shell);
    errno = error;
    return NULL;
  }
  next_shell_number++;
  close_all(ends.theirs);
  memcpy(shell->pipes, ends.ours, sizeof shell->pipes);
  watch(&shell->notes, ends.ours[NOTES], EPOLLIN, note_ready);
  shell->orders = ends.ours[ORDERS];
  watch_child(&shell->init, pid, shell_ended);
  return shell;
}

int shell_prepare(struct shell *shell, const struct word *word, const int *trees, size_t count) {
  shell->state = SHELL_PREPARING;
  return send_packet(shell->notes.descriptor, word, offsetof(struct word, directory) + strlen(word->directory) + 1, trees, count);
}

/* One that does not fit is lost: init has enough of them to hear. */
void shell_signal(struct shell *shell, uint8_t number) {
  const struct word word = {.kind = WORD_SIGNAL, .signal = number};
  send(shell->notes.descriptor, &word, offsetof(struct word, directory), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void shell_kill(struct shell *shell) {
  const uint32_t word = WORD_KILL;
  if (shell->notes.descriptor < 0 || send(shell->notes.descriptor, &word, sizeof word, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof word)
    shell_destroy(shell);
}

void shell_destroy(struct shell *shell) {
  if (shell->init.pid > 0) kill(shell->init.pid, SIGKILL);
}
