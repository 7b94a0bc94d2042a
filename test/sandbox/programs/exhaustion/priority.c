/*
 * Takes more of the processor than its share.
 */
#include "../attack.h"

int main(void) {
  struct sched_param high = {.sched_priority = 50};
  cpu_set_t all;
  TRY("fifo", sched_setscheduler(0, SCHED_FIFO, &high));
  TRY("round robin", sched_setscheduler(0, SCHED_RR, &high));
  TRY("nice", setpriority(PRIO_PROCESS, 0, -20));
  TRY("init's nice", setpriority(PRIO_PROCESS, 1, 19));
  TRY("ioprio", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
  TRY("oom", write_file("/proc/self/oom_score_adj", "-1000"));
  struct rlimit limit = {40, 40};
  TRY("rlimit nice", setrlimit(RLIMIT_NICE, &limit));
  TRY("rlimit rt", setrlimit(RLIMIT_RTPRIO, &limit));
  return 0;
}
