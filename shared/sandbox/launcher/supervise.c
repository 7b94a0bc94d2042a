/*
 * supervise.c: one launch from its frame to its report: takes a shell, sends the order, hears how it went.
 * It never blocks and never guesses: why a launch ended is recorded by whoever ends it, before the kill.
 * What must stay true: every LAUNCH is answered by exactly one REPORT, unless its client is gone; the report comes after
 * every process is dead, the counters are read and the pipes are drained.
 */
#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_PATIENCE_NS (5 * NS_PER_S)

struct launch *launches;
uint64_t launches_total;

struct launch *find_launch(const struct client *client, uint64_t number) {
  struct launch *launch = launches;
  while (launch != NULL && (launch->client != client || launch->number != number)) launch = launch->next;
  return launch;
}

uint32_t launches_running(void) {
  uint32_t count = 0;
  for (struct launch *launch = launches; launch != NULL; launch = launch->next) count++;
  return count;
}

static struct launch *make_launch(struct client *client, const uint8_t *frame, size_t size) {
  struct launch *launch = calloc(1, sizeof *launch);
  if (launch == NULL || (launch->frame = malloc(size)) == NULL) abort();
  memcpy(launch->frame, frame, size);
  launch->frame_size = (uint32_t)size;
  decode_message(launch->frame, size, &launch->message);
  launch->client = client;
  launch->number = launch->message.LAUNCH_launch;
  launch->profile = launch->message.LAUNCH_profile;
  launch->keep = launch->message.LAUNCH_keep;
  launch->received_at = monotonic_ns();
  launch->oom.descriptor = launch->input.descriptor = -1;
  launch->input_credit = STDIN_CREDIT_BYTES;
  for (uint8_t i = 0; i < 3; i++) launch->streams[i] = (struct stream){.launch = launch, .number = i + 1, .over = true, .source = {.descriptor = -1}};
  return launch;
}

void launch_begin(struct client *client, const uint8_t *frame, size_t size, const struct message *message) {
  bool known = find_launch(client, message->LAUNCH_launch) != NULL;
  struct launch *launch = make_launch(client, frame, size);
  launch->next = launches;
  launches = launch;
  launches_total++;
  int error = known ? EEXIST : validate_launch(&launch->message);
  if (error != 0) {
    launch_failed(launch, STEP_DECODE, error);
    return;
  }
  if (launch->message.LAUNCH_egress != 0 && options.egress_command == NULL) {
    launch_failed(launch, STEP_EGRESS, ENOENT);
    return;
  }
  launch->shell = stock_take(launch->profile);
  if (launch->shell == NULL) {
    launch_failed(launch, STEP_SHELL, errno);
    return;
  }
  launch->shell->launch = launch;
  if (launch->shell->state == SHELL_READY) launch_shell_ready(launch);
}

/* Detached mounts in the order that mounts.c expects: layers, kept, target or capture. 0 or -errno. */
static int collect_trees(struct launch *launch, int *trees, size_t *count) {
  struct list layers = launch->message.LAUNCH_layers, kept = launch->message.LAUNCH_kept;
  struct slice name;
  uint64_t number;
  int tree = 0;
  char text[128];
  while (tree >= 0 && next_string(&layers, &name)) {
    snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
    tree = store_layer_tree(text);
    if (tree >= 0) trees[(*count)++] = tree;
  }
  while (tree >= 0 && next_number(&kept, &number)) {
    const struct kept *layer = launch->client == NULL ? NULL : find_kept(launch->client, number);
    tree = layer == NULL ? -ENOENT : kept_tree(layer);
    if (tree >= 0) trees[(*count)++] = tree;
  }
  if (tree >= 0 && launch->message.LAUNCH_target.size > 0) {
    snprintf(text, sizeof text, "%.*s", (int)launch->message.LAUNCH_target.size, (const char *)launch->message.LAUNCH_target.data);
    tree = store_incoming_tree(text);
    if (tree >= 0) trees[(*count)++] = tree;
  } else if (tree >= 0 && launch->message.LAUNCH_capture != 0) {
    const struct kept *layer = launch->client == NULL ? NULL : find_kept(launch->client, launch->message.LAUNCH_capture);
    tree = layer == NULL ? -ENOENT : kept_tree(layer);
    if (tree >= 0) trees[(*count)++] = tree;
  }
  return tree < 0 ? tree : 0;
}

static int send_order(struct launch *launch, int *trees, size_t count) {
  struct order order = {.kind = ORDER_LAUNCH, .size = launch->frame_size, .sent = monotonic_ns()};
  uint8_t packet[sizeof order + ORDER_INLINE_MAX];
  size_t size = sizeof order;
  int memory = -1, result = 0;
  if (launch->frame_size <= ORDER_INLINE_MAX) {
    memcpy(packet + size, launch->frame, launch->frame_size);
    size += launch->frame_size;
  } else {
    order.in_memfd = 1;
    memory = memfd_create("order", MFD_CLOEXEC);
    if (memory < 0 || write(memory, launch->frame, launch->frame_size) != (ssize_t)launch->frame_size) result = -ENOMEM;
    trees[count++] = memory;
  }
  memcpy(packet, &order, sizeof order);
  if (result == 0) result = send_packet(launch->shell->orders.descriptor, packet, size, trees, count);
  close_descriptor(&memory);
  return result;
}

static int limit_cgroup(struct launch *launch) {
  char *cpus = slice_text(launch->message.LAUNCH_cpus);
  struct cgroup_limits limits = {.memory_bytes = launch->message.LAUNCH_memoryBytes, .processes = launch->message.LAUNCH_processes,
                                 .cpu_shares = launch->message.LAUNCH_cpuShares, .cpus = cpus};
  int result = cgroup->limit(launch->shell->number, &limits);
  free(cpus);
  if (result == 0) watch_memory(launch);
  return result;
}

static void measure_space(struct launch *launch) {
  struct statfs space;
  if (launch->shell->space < 0 || fstatfs(launch->shell->space, &space) != 0) return;
  launch->disk_inodes = (uint64_t)(space.f_files - space.f_ffree);
  if (launch->started) { /* what it was granted less what is free: ours are not counted (mounts.c) */
    uint64_t granted = launch->message.LAUNCH_diskInodes, unused = (uint64_t)space.f_ffree;
    launch->disk_inodes = launch->disk_inodes_before + (granted > unused ? granted - unused : 0);
  }
  launch->disk_bytes = (uint64_t)(space.f_blocks - space.f_bfree) * (uint64_t)space.f_bsize;
  if (launch->started) launch->disk_full = space.f_bfree == 0 ? 1 : space.f_ffree == 0 ? 2 : 0;
}

void launch_shell_ready(struct launch *launch) {
  int trees[LAYERS_MAX + 4];
  size_t count = 0;
  int step = STEP_CGROUP;
  launch->shell->state = SHELL_TAKEN;
  measure_space(launch);
  launch->disk_bytes_before = launch->disk_bytes;
  launch->disk_inodes_before = launch->disk_inodes;
  int result = limit_cgroup(launch);
  if (result == 0) {
    step = STEP_LAYERS;
    result = collect_trees(launch, trees, &count);
  }
  if (result == 0) {
    step = STEP_SHELL;
    streams_open(launch);
    result = send_order(launch, trees, count);
  }
  for (size_t i = 0; i < count; i++) close(trees[i]);
  launch->taken_at = monotonic_ns();
  if (launch->message.LAUNCH_egress == 0) { /* else its configuration is needed once more */
    free(launch->frame);
    launch->frame = NULL;
  }
  if (result != 0) {
    launch_failed(launch, step, -result);
    return;
  }
  launch->next_check = launch->taken_at + 120 * NS_PER_S; /* setting up has a bound, too */
}

/* Our own failure, or the exec's. A shell that holds a process reports its end itself; without one we are through. */
void launch_failed(struct launch *launch, int step, int error) {
  if (launch->step == STEP_NONE) {
    launch->step = step;
    launch->error = error;
  }
  if (launch->shell != NULL && launch->shell->state != SHELL_OVER && !launch->ended) {
    launch_kill(launch, 0);
    return;
  }
  launch->ended = true;
  launch_progress(launch);
}

void launch_kill(struct launch *launch, uint8_t end) {
  if (!launch->kill_sent && launch->exceeded == LIMIT_NONE) launch->end = end; /* whoever came first */
  if (launch->kill_sent || launch->ended || launch->shell == NULL) return;
  launch->kill_sent = true;
  launch->kill_at = monotonic_ns() + KILL_PATIENCE_NS;
  if (launch->shell->state == SHELL_TAKEN)
    shell_kill(launch->shell);
  else
    shell_destroy(launch->shell); /* nothing of the program ran yet */
}

void launch_exceeded(struct launch *launch, uint8_t limit, uint64_t observed) {
  if (launch->exceeded == LIMIT_NONE && launch->end == 0) {
    launch->exceeded = limit;
    launch->observed = observed;
  }
  launch_kill(launch, 0);
}

static void ended(struct launch *launch, const struct note *note) {
  launch->ended = true;
  launch->finish = *note;
  launch->status = note->status;
  cgroup->read_usage(launch->shell->number, &launch->usage);
  if (launch->usage.oom_kills > 0 && launch->exceeded == LIMIT_NONE && launch->end == 0) {
    launch->exceeded = LIMIT_MEMORY;
    launch->observed = launch->usage.memory_peak;
  }
  measure_space(launch);
  if (launch->keep != 0 && launch->started && launch->client != NULL &&
      keep_layer(launch->client, launch->number, launch->shell->space) == 0)
    launch->shell->space = -1;
  unwatch(&launch->oom);
  input_close(launch);
  streams_finish(launch);
  egress_stop(launch);
  launch_progress(launch);
}

void launch_note(struct launch *launch, const struct note *note) {
  switch (note->kind) {
    case NOTE_FAILED:
      if (launch->step == STEP_NONE) {
        launch->step = note->step;
        launch->error = note->error;
      }
      if (launch->shell->state == SHELL_MAKING) {
        launch->shell->state = SHELL_OVER;
        launch_failed(launch, note->step, note->error);
      }
      break;
    case NOTE_STARTED:
      launch->started = true;
      launch->start = *note;
      deadlines_start(launch);
      if (launch->client != NULL)
        client_send(launch->client, &(struct message){.number = MESSAGE_STARTED, .STARTED_launch = launch->number, .STARTED_startedAtNs = note->realtime});
      break;
    case NOTE_ENDED: ended(launch, note); break;
    default: log_line(LOG_LEVEL_WARN, "unknown note from a shell", NULL, NULL);
  }
}

/* Init is gone. That is the normal end of a shell, and a loss when nothing was said before. */
void launch_lost(struct launch *launch) {
  if (!launch->ended) {
    struct note note = {.kind = NOTE_ENDED, .status = SIGKILL, .monotonic = monotonic_ns(), .realtime = realtime_ns()};
    if (launch->step == STEP_NONE && !launch->kill_sent) {
      launch->step = STEP_LOST;
      launch->error = ECHILD;
    }
    ended(launch, &note);
  }
  if (launch->reported) return;
  launch->shell->launch = NULL; /* its pipes, or a slow client, outlive it */
  launch->shell = NULL;
}

void launch_progress(struct launch *launch) {
  if (launch->reported || !launch->ended || !streams_over(launch) || launch->egress_alive) return;
  launch->reported = true;
  report_send(launch);
  for (struct launch **link = &launches; *link != NULL; link = &(*link)->next) {
    if (*link != launch) continue;
    *link = launch->next;
    break;
  }
  if (launch->shell != NULL) launch->shell->launch = NULL;
  unwatch(&launch->oom);
  input_close(launch);
  for (size_t i = 0; i < 3; i++) unwatch(&launch->streams[i].source);
  bytes_free(&launch->input_queue);
  free(launch->frame);
  free_later(launch);
}

void launches_resume(struct client *client) {
  for (struct launch *launch = launches, *next; launch != NULL; launch = next) {
    next = launch->next;
    if (launch->client == client) streams_resume(launch);
  }
}

void launches_orphan(struct client *client) {
  for (struct launch *launch = launches, *next; launch != NULL; launch = next) {
    next = launch->next;
    if (launch->client != client) continue;
    launch->client = NULL;
    launch_kill(launch, END_CLIENT);
    streams_resume(launch);
  }
}
