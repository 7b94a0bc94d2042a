/*
 * Makes timers until it is refused.
 */
#include "../attack.h"

int main(void) {
  timer_t timer;
  struct sigevent silent = {.sigev_notify = SIGEV_NONE};
  int made = 0;
  while (made < 100000 && timer_create(CLOCK_MONOTONIC, &silent, &timer) == 0) made++;
  printf("%d\n", made <= 4096);
  return 0;
}
