/*
 * Exits while threads, children and output are under way.
 */
#include "../attack.h"

static void *busy(void *unused) {
  spin();
  return unused;
}

int main(void) {
  pthread_t thread;
  for (int i = 0; i < 8; i++) pthread_create(&thread, NULL, busy, NULL);
  for (int i = 0; i < 8; i++)
    if (fork() == 0) spin();
  _exit(6);
  return 0;
}
