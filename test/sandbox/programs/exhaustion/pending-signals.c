/*
 * Queues signals that it blocks.
 */
#include "../attack.h"

int main(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  int sent = 0;
  union sigval value = {0};
  while (sent < 100000 && sigqueue(getpid(), SIGRTMIN, value) == 0) sent++;
  printf("%d %s\n", sent, strerrorname_np(errno));
  return 0;
}
