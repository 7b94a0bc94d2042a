/*
 * Looks at process 1: it is not there.
 */
#include "../attack.h"

int main(void) {
  TRY("status", open("/proc/1/status", O_RDONLY));
  TRY("environ", open("/proc/1/environ", O_RDONLY));
  TRY("descriptors", open("/proc/1/fd", O_RDONLY));
  TRY("limits", prlimit(1, RLIMIT_NOFILE, NULL, &(struct rlimit){0, 0}));
  TRY("scheduler", sched_setscheduler(1, 0, &(struct sched_param){0}));
  return 0;
}
