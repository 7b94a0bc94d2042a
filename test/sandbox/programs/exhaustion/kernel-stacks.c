/*
 * Starts as many threads as it may, each of which costs the kernel memory too: bounded by either limit.
 */
#include "../attack.h"

static void *wait_here(void *nothing) {
  for (;;) pause();
  return nothing;
}

int main(void) {
  pthread_t thread;
  pthread_attr_t small;
  int made = 0;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 14);
  while (pthread_create(&thread, &small, wait_here, NULL) == 0) made++;
  printf("%d\n", made);
  return 0;
}
