/*
 * Spins in threads while its first one sleeps.
 */
#include "../attack.h"

static void *busy(void *unused) {
  spin();
  return unused;
}

int main(void) {
  pthread_t thread;
  for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, busy, NULL);
  pause();
  return 0;
}
