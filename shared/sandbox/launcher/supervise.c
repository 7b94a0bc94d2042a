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
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_PATIENCE_NS (5 * NS_PER_S)
#define SET_UP_PATIENCE_NS (120 * NS_PER_S)

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
  launch->oom.descriptor = launch->input.descriptor = launch->terminal = -1;
  launch->input_last_byte = '\n';
  launch->input_credit = STDIN_CREDIT_BYTES;
  launch->output_credit = launch->message.LAUNCH_outputWindowBytes;
  for (uint8_t i = 0; i < STREAMS; i++) launch->streams[i] = (struct stream){.launch = launch, .number = i + 1, .over = true, .source = {.descriptor = -1}};
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
  if (one_id() && profile_needs_ids(launch->profile)) {
    launch_failed(launch, STEP_IDS, ENOTSUP);
    return;
  }
  launch->cores = cores_of(&launch->message);
  launch->chain = chain_of(launch);
  if (launch->chain == NULL) {
    launch_failed(launch, STEP_LAYERS, ENOENT);
    return;
  }
  error = -collect_prepare(launch);
  if (error != 0) {
    launch_failed(launch, STEP_LAYERS, error);
    return;
  }
  launch->foreseeable = chain_foreseeable(launch);
  launch->shell = stock_take(launch);
  if (launch->shell == NULL) {
    launch_failed(launch, STEP_SHELL, errno);
    return;
  }
  launch->shell->launch = launch;
  launch->next_check = monotonic_ns() + SET_UP_PATIENCE_NS;
  if (launch->shell->state == SHELL_READY) launch_shell_ready(launch);
  if (launch->shell != NULL && launch->shell->state == SHELL_PREPARED) launch_shell_prepared(launch);
}

/* Detached mounts in the order that mounts.c expects: layers, kept, target or capture. 0 or -errno. */
static int collect_trees(const struct launch *launch, int *trees, size_t *count) {
  struct slice target = launch->message.LAUNCH_target;
  char text[128];
  int result = chain_trees(launch->chain, trees, count), tree = 0;
  if (result == 0 && target.size > 0) {
    snprintf(text, sizeof text, "%.*s", (int)target.size, (const char *)target.data);
    tree = store_target_tree(text);
  } else if (result == 0 && launch->message.LAUNCH_capture != 0) {
    const struct kept *layer = launch->client == NULL ? NULL : find_kept(launch->client, launch->message.LAUNCH_capture);
    tree = layer == NULL ? -ENOENT : kept_tree(layer->serial);
  }
  if (tree > 0) trees[(*count)++] = tree;
  return tree < 0 ? tree : result;
}

static int send_order(struct launch *launch, int cpuset) {
  struct order order = {.size = launch->frame_size, .sent = monotonic_ns(), .pinned = cpuset >= 0, .terminal = launch->terminal >= 0};
  uint8_t packet[sizeof order + ORDER_INLINE_MAX];
  int descriptors[3] = {cpuset}, result = 0;
  size_t count = order.pinned;
  size_t size = sizeof order;
  if (order.terminal != 0) descriptors[count++] = launch->terminal;
  if (launch->frame_size <= ORDER_INLINE_MAX) {
    memcpy(packet + size, launch->frame, launch->frame_size);
    size += launch->frame_size;
  } else {
    order.in_memfd = 1;
    int memory = descriptors[count++] = memfd_create("order", MFD_CLOEXEC);
    if (memory < 0 || write(memory, launch->frame, launch->frame_size) != (ssize_t)launch->frame_size) result = -ENOMEM;
  }
  memcpy(packet, &order, sizeof order);
  if (result == 0) result = send_packet(launch->shell->orders, packet, size, descriptors, count);
  if (order.in_memfd != 0) close_descriptor(&descriptors[count - 1]);
  return result;
}

static int limit_cgroup(struct launch *launch, int *cpuset) {
  const struct message *m = &launch->message;
  const struct cgroup_limits limits = {m->LAUNCH_memoryBytes, m->LAUNCH_processes, m->LAUNCH_cpuShares}, *set = &launch->shell->limits;
  bool same = limits.memory_bytes == set->memory_bytes && limits.processes == set->processes && limits.cpu_shares == set->cpu_shares;
  int result = same ? 0 : cgroup->limit(launch->shell->number, &limits);
  if (result != 0) return result;
  char *cpus = slice_text(m->LAUNCH_cpus);
  result = cgroup->pin(launch->shell->number, cpus, cpuset);
  free(cpus);
  if (result == 0) watch_memory(launch);
  return result;
}

/* 0 or -errno. The descriptor is all that we have of that mount: so the new way to change a mounted file system. */
static int set_space(int space, uint64_t bytes, uint64_t inodes) {
  char text[32];
  int context = fspick(space, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
  if (context < 0) return -errno;
  snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
  int result = fsconfig(context, FSCONFIG_SET_STRING, "size", text, 0);
  snprintf(text, sizeof text, "%llu", (unsigned long long)inodes);
  if (result == 0) result = fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", text, 0);
  if (result == 0) result = fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
  result = result == 0 ? 0 : -errno;
  close(context);
  return result;
}

/* Ours do not count as the program's, and are there before it. */
static int put_system_files(struct launch *launch) {
  struct list files = launch->message.LAUNCH_systemFiles;
  if (launch->files_written || files.count == 0) return 0;
  launch->files_written = true;
  if (files.size < SPACE_OWN_BYTES / 2 && files.count < SPACE_OWN_INODES / 4) return -write_system_files(launch->shell->space, files);
  int result = set_space(launch->shell->space, launch->message.LAUNCH_diskBytes + SPACE_OWN_BYTES, SPACE_OWN_INODES + files.count);
  return result != 0 ? result : -write_system_files(launch->shell->space, files);
}

static void measure_space(struct launch *launch) {
  struct statfs space;
  if (launch->shell->space < 0 || fstatfs(launch->shell->space, &space) != 0) return;
  bool is_granted = launch->started || launch->step == STEP_FILES; /* or refused room for the request's own files */
  launch->disk_inodes = (uint64_t)(space.f_files - space.f_ffree);
  if (is_granted) { /* what it was granted less what is free: ours are not counted */
    uint64_t granted = launch->message.LAUNCH_diskInodes, unused = (uint64_t)space.f_ffree;
    launch->disk_inodes = launch->disk_inodes_before + (granted > unused ? granted - unused : 0);
  }
  launch->disk_bytes = (uint64_t)(space.f_blocks - space.f_bfree) * (uint64_t)space.f_bsize;
  if (is_granted) launch->disk_full = space.f_bfree == 0 ? 1 : space.f_ffree == 0 ? 2 : 0;
}

/* Once everything of ours is there: what is free then is exactly the program's. */
static int grant_space(struct launch *launch) {
  measure_space(launch);
  launch->disk_bytes_before = launch->disk_bytes;
  launch->disk_inodes_before = launch->disk_inodes;
  return set_space(launch->shell->space, launch->disk_bytes + launch->message.LAUNCH_diskBytes, launch->disk_inodes + launch->message.LAUNCH_diskInodes);
}

void launch_shell_ready(struct launch *launch) {
  const struct message *m = &launch->message;
  int trees[LAYERS_MAX + 1], step = STEP_FILES;
  size_t count = 0;
  int result = put_system_files(launch);
  if (result == 0) {
    step = STEP_LAYERS;
    result = collect_trees(launch, trees, &count);
  }
  if (result == 0) {
    struct word word = {.kind = WORD_PREPARE, .layers = m->LAUNCH_layers.count + m->LAUNCH_kept.count, .kept = m->LAUNCH_kept.count, .target = m->LAUNCH_target.size > 0,
                              .capture = m->LAUNCH_capture != 0, .egress = m->LAUNCH_egress, .terminal = m->LAUNCH_terminal};
    if (m->LAUNCH_directory.size <= PATH_BYTES_MAX) memcpy(word.directory, m->LAUNCH_directory.data, m->LAUNCH_directory.size);
    step = STEP_SHELL;
    launch->prepare_at = monotonic_ns();
    result = shell_prepare(launch->shell, &word, trees, count);
  }
  for (size_t i = 0; i < count; i++) close(trees[i]);
  if (result != 0) launch_failed(launch, step, -result);
}

/* The critical path of a launch that the stock foresaw. */
void launch_shell_prepared(struct launch *launch) {
  int cpuset = -1, step = STEP_CGROUP;
  if (launch->prepare_at != 0) launch->mount_ns = monotonic_ns() - launch->prepare_at;
  launch->shell->state = SHELL_TAKEN;
  int result = limit_cgroup(launch, &cpuset);
  if (result == 0) {
    step = STEP_FILES;
    result = put_system_files(launch);
  }
  if (result == 0) {
    step = STEP_OVERLAY;
    result = grant_space(launch);
  }
  if (result == 0) {
    step = STEP_SHELL;
    streams_open(launch);
    result = send_order(launch, cpuset);
  }
  close_descriptor(&cpuset);
  launch->taken_at = monotonic_ns();
  if (launch->message.LAUNCH_egress == 0) { /* else its configuration is needed once more */
    free(launch->frame);
    launch->frame = NULL;
  }
  /* What an empty sandbox holds is above the limit already: v1 refuses it, v2 kills the payload at once. */
  bool below = step == STEP_CGROUP ? result == -EBUSY : result == -EPIPE && cgroup->oom_kills(launch->shell->counters) > 0;
  if (below)
    launch_exceeded(launch, LIMIT_MEMORY, launch->message.LAUNCH_memoryBytes);
  else if (result != 0)
    launch_failed(launch, step, -result);
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
  cgroup->read_usage(launch->shell->counters, &launch->usage);
  if (launch->usage.oom_kills > 0 && launch->exceeded == LIMIT_NONE && launch->end == 0) {
    launch->exceeded = LIMIT_MEMORY;
    launch->observed = launch->usage.memory_peak;
  }
  if (launch->exceeded == LIMIT_MEMORY) {
    if (launch->usage.memory_peak > launch->observed) launch->observed = launch->usage.memory_peak;
    if (!launch->started) launch->step = STEP_NONE; /* killed on its way to the exec: whatever failed then failed for that */
  }
  measure_space(launch);
  collect_start(launch);
  witness_file_size(launch);
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
      terminal_started(launch);
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
  if (launch->reported || !launch->ended || !streams_over(launch) || launch->egress_alive || launch->witness_alive || !collect_over(launch)) return;
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
  for (size_t i = 0; i < STREAMS; i++) unwatch(&launch->streams[i].source);
  close_descriptor(&launch->terminal);
  collect_free(launch);
  bytes_free(&launch->input_queue);
  free(launch->frame);
  free(launch->chain);
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
    collect_stop(launch);
    streams_resume(launch);
  }
}
