/*
 * Starts threads until it is refused: they count as processes.
 */
#include "../attack.h"

static void *hold(void *unused) {
  pause();
  return unused;
}

int main(void) {
  int made = 1;
  pthread_t thread;
  while (pthread_create(&thread, NULL, hold, NULL) == 0) made++;
  printf("%d\n", made);
  return 0;
}
