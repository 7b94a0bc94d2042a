/*
 * report.c: any way in which a launch can have gone, reported; the frame is read back and held against what it may say.
 * It never reports what the kernel can't say: clocks and counters stay below 2^62. What must stay true: a limit is named
 * only when one was recorded (or the kernel's SIGXFSZ shows it), and the parts of a figure add up to it.
 */
#include "fuzz.h"

#include <signal.h>
#include <sys/wait.h>

#define COUNTER_MAX (UINT64_C(1) << 62)

static uint64_t take_counter(struct input *input) { return take_u64(input) % COUNTER_MAX; }

static struct note take_note(struct input *input) {
  struct note note = {.kind = NOTE_ENDED};
  uint64_t *const fields[] = {&note.monotonic, &note.realtime, &note.exec_at, &note.exec_ns, &note.cpu_ns,
                              &note.user_ns,   &note.system_ns, &note.voluntary, &note.involuntary};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) *fields[i] = take_counter(input);
  return note;
}

static void take_launch(struct input *input, struct launch *launch) {
  uint8_t way = take_u8(input), number = take_u8(input);
  launch->number = take_u64(input);
  launch->started = (way & 1) != 0;
  launch->end = (way & 2) != 0 ? END_CLIENT : 0;
  launch->step = (way & 4) != 0 ? take_u8(input) % (STEP_LOST + 1) : STEP_NONE;
  launch->error = take_u8(input);
  launch->mount_ns = take_counter(input);
  launch->exceeded = (way & 8) != 0 ? take_u8(input) % (LIMIT_DISK + 1) : LIMIT_NONE;
  launch->observed = launch->exceeded != LIMIT_NONE ? take_u64(input) : 0;
  launch->status = (way & 16) != 0 ? 1 + number % 64 + ((way & 32) != 0 ? 0x80 : 0) : number << 8;
  launch->start = take_note(input);
  launch->finish = take_note(input);
  launch->usage = (struct cgroup_usage){.cpu_ns = take_counter(input), .memory_peak = take_counter(input), .processes_peak = take_counter(input),
                                        .throttled_ns = take_counter(input), .oom_kills = take_counter(input)};
  launch->disk_bytes_before = take_counter(input);
  launch->disk_bytes = take_counter(input);
  launch->input_taken = take_counter(input);
  for (size_t i = 0; i < 3; i++) launch->streams[i] = (struct stream){.forwarded = take_counter(input), .truncated = (way & 64) != 0};
  launch->message.LAUNCH_fileSizeBytes = take_u64(input);
  launch->message.LAUNCH_memoryBytes = take_u64(input);
}

static void check_end(const struct launch *launch, const struct message *m) {
  bool failed = m->REPORT_end == END_START_FAILED || m->REPORT_end == END_SETUP_FAILED, exited = m->REPORT_end == END_EXITED;
  insist(m->REPORT_end >= END_EXITED && m->REPORT_end <= END_CLIENT);
  insist(failed == (m->REPORT_step != STEP_NONE));
  insist(exited ? m->REPORT_exitCode >= 0 && m->REPORT_exitCode <= 255 : m->REPORT_exitCode == -1);
  insist(m->REPORT_signal >= 0 && m->REPORT_signal <= 64 && (m->REPORT_signal == 0 || !(exited || failed)));
  insist(m->REPORT_end != END_SIGNALED || m->REPORT_signal == WTERMSIG(launch->status));
  insist((m->REPORT_end == END_CLIENT) == (launch->end == END_CLIENT));
}

static void check_limit(const struct launch *launch, const struct message *m) {
  if (m->REPORT_exceeded == launch->exceeded)
    insist(m->REPORT_observed == launch->observed);
  else
    insist(launch->exceeded == LIMIT_NONE && m->REPORT_exceeded == LIMIT_FILE_SIZE && m->REPORT_end == END_SIGNALED && m->REPORT_signal == SIGXFSZ);
  if (m->REPORT_exceeded == LIMIT_NONE) insist(m->REPORT_allowed == 0 && m->REPORT_observed == 0);
  if (m->REPORT_exceeded == LIMIT_FILE_SIZE) insist(m->REPORT_allowed == launch->message.LAUNCH_fileSizeBytes);
  if (m->REPORT_exceeded == LIMIT_MEMORY) insist(m->REPORT_allowed == launch->message.LAUNCH_memoryBytes);
}

static void check_usage(const struct launch *launch, const struct message *m) {
  insist(m->REPORT_cpuUserNs <= m->REPORT_cpuTimeNs && m->REPORT_cpuUserNs + m->REPORT_cpuSystemNs == m->REPORT_cpuTimeNs);
  insist(m->REPORT_cpuTimeNs <= launch->usage.cpu_ns && m->REPORT_wallTimeNs <= launch->finish.monotonic);
  insist(launch->started || (m->REPORT_cpuTimeNs == 0 && m->REPORT_wallTimeNs == 0 && m->REPORT_startedAtNs == 0));
  insist(m->REPORT_diskBytes <= launch->disk_bytes && m->REPORT_stdoutBytes == launch->streams[0].forwarded);
  insist(m->REPORT_oomKills == launch->usage.oom_kills && m->REPORT_voluntarySwitches <= launch->finish.voluntary);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, data + size};
  static struct client client;
  struct launch launch = {.client = &client};
  struct message report;
  take_launch(&input, &launch);
  report_send(&launch);
  insist(decode_message(client.out.data + client.out.start + 4, client.out.end - client.out.start - 4, &report));
  insist(report.number == MESSAGE_REPORT && report.REPORT_launch == launch.number);
  check_end(&launch, &report);
  check_limit(&launch, &report);
  check_usage(&launch, &report);
  bytes_consume(&client.out, client.out.end - client.out.start);
  return 0;
}
