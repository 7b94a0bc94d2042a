/*
 * Executes another program from a thread.
 */
#include "../attack.h"

static void *become(void *unused) {
  execl("/bin/sh", "sh", "-c", "echo became; exit 5", (char *)NULL);
  return unused;
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, become, NULL);
  for (;;) pause();
  return 0;
}
