/*
 * report.c: the last frame of a launch: how it ended, which limit ended it, what it used, where the time went.
 * It never decides why: that was recorded before the kill, or proven after it (memory, witness.c). What must stay true:
 * a limit is named only if we, or the kernel, ended the program for it; a program's own signal or exit code never is one.
 */
#include "launcher.h"

#include <sys/wait.h>

static uint64_t difference(uint64_t later, uint64_t earlier) { return later > earlier ? later - earlier : 0; }

static uint64_t allowed(const struct message *limits, uint8_t limit) {
  switch (limit) {
    case LIMIT_CPU_TIME: return limits->LAUNCH_cpuTimeMs;
    case LIMIT_WALL_TIME: return limits->LAUNCH_wallTimeMs;
    case LIMIT_IDLE_TIME: return limits->LAUNCH_idleTimeMs;
    case LIMIT_MEMORY: return limits->LAUNCH_memoryBytes;
    case LIMIT_OUTPUT: return limits->LAUNCH_outputBytes;
    case LIMIT_FILE_SIZE: return limits->LAUNCH_fileSizeBytes;
    case LIMIT_DISK: return limits->LAUNCH_diskBytes;
    default: return 0;
  }
}

static void tell_end(const struct launch *launch, struct message *report) {
  bool signaled = WIFSIGNALED(launch->status);
  report->REPORT_exitCode = -1;
  if (launch->end == END_CLIENT) {
    report->REPORT_end = END_CLIENT;
    report->REPORT_signal = launch->started && signaled ? WTERMSIG(launch->status) : 0;
  } else if (launch->step != STEP_NONE) {
    report->REPORT_end = launch->step == STEP_EXEC ? END_START_FAILED : END_SETUP_FAILED;
    report->REPORT_step = (uint8_t)launch->step;
    report->REPORT_errorNumber = launch->error;
  } else if (!launch->started && launch->exceeded == LIMIT_NONE) {
    report->REPORT_end = END_SETUP_FAILED;
    report->REPORT_step = STEP_LOST;
  } else if (signaled) {
    report->REPORT_end = END_SIGNALED;
    report->REPORT_signal = WTERMSIG(launch->status);
  } else {
    report->REPORT_end = END_EXITED;
    report->REPORT_exitCode = WEXITSTATUS(launch->status);
  }
}

static void tell_limit(const struct launch *launch, struct message *report) {
  report->REPORT_exceeded = launch->exceeded;
  report->REPORT_allowed = allowed(&launch->message, launch->exceeded);
  report->REPORT_observed = launch->observed;
}

/* The cgroup's total is exact; its split is sampled by ticks, that of the reaped processes is scaled: take their ratio. */
static void tell_cpu(const struct launch *launch, struct message *report) {
  uint64_t total = difference(launch->usage.cpu_ns, launch->start.cpu_ns);
  uint64_t user = difference(launch->finish.user_ns, launch->start.user_ns);
  uint64_t system = difference(launch->finish.system_ns, launch->start.system_ns);
  report->REPORT_cpuTimeNs = launch->started ? total : 0;
  if (user + system == 0) system = 1;
  uint64_t share = (uint64_t)((double)report->REPORT_cpuTimeNs * ((double)user / (double)(user + system)));
  report->REPORT_cpuUserNs = share < report->REPORT_cpuTimeNs ? share : report->REPORT_cpuTimeNs; /* a double rounds up, too */
  report->REPORT_cpuSystemNs = report->REPORT_cpuTimeNs - report->REPORT_cpuUserNs;
}

static void tell_usage(const struct launch *launch, struct message *report) {
  tell_cpu(launch, report);
  report->REPORT_wallTimeNs = launch->started ? difference(launch->finish.monotonic, launch->start.monotonic) : 0;
  report->REPORT_memoryPeakBytes = launch->usage.memory_peak;
  report->REPORT_processesPeak = launch->usage.processes_peak;
  report->REPORT_stdoutBytes = launch->streams[0].forwarded;
  report->REPORT_stderrBytes = launch->streams[1].forwarded;
  report->REPORT_stdoutTruncated = launch->streams[0].truncated;
  report->REPORT_stderrTruncated = launch->streams[1].truncated;
  report->REPORT_stdinBytes = launch->input_taken;
  report->REPORT_diskBytes = difference(launch->disk_bytes, launch->disk_bytes_before);
  report->REPORT_diskInodes = difference(launch->disk_inodes, launch->disk_inodes_before);
  report->REPORT_diskFull = launch->disk_full;
  report->REPORT_voluntarySwitches = difference(launch->finish.voluntary, launch->start.voluntary);
  report->REPORT_involuntarySwitches = difference(launch->finish.involuntary, launch->start.involuntary);
  report->REPORT_throttledNs = launch->usage.throttled_ns;
  report->REPORT_oomKills = launch->usage.oom_kills;
}

void report_send(struct launch *launch) {
  if (launch->client == NULL) return;
  struct message report = {.number = MESSAGE_REPORT, .REPORT_launch = launch->number};
  tell_end(launch, &report);
  tell_limit(launch, &report);
  tell_usage(launch, &report);
  report.REPORT_startedAtNs = launch->started ? launch->start.realtime : 0;
  report.REPORT_endedAtNs = launch->finish.realtime != 0 ? launch->finish.realtime : realtime_ns();
  report.REPORT_takeNs = difference(difference(launch->taken_at, launch->received_at), launch->mount_ns);
  report.REPORT_mountNs = launch->mount_ns;
  report.REPORT_execNs = launch->start.exec_ns;
  report.REPORT_collectNs = launch->finish.monotonic == 0 ? 0 : difference(monotonic_ns(), launch->finish.monotonic);
  client_send(launch->client, &report);
}
