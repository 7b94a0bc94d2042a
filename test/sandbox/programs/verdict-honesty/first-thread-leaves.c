/*
 * Ends its first thread and goes on in another: the program has not ended.
 */
#include "../attack.h"

static void *later(void *unused) {
  usleep(20000);
  say("later");
  exit(7);
  return unused;
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, later, NULL);
  pthread_exit(NULL);
  return 0;
}
