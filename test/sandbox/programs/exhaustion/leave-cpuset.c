/*
 * Moves itself to a processor that it was not given.
 */
#include "../attack.h"

int main(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(1, &set);
  TRY("other", sched_setaffinity(0, sizeof set, &set));
  sched_getaffinity(0, sizeof set, &set);
  printf("%d %d\n", CPU_COUNT(&set), CPU_ISSET(0, &set) != 0);
  return 0;
}
