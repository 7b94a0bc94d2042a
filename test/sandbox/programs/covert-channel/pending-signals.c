/*
 * The number of signals that a user may have pending.
 */
#include "../attack.h"

int main(int count, char **words) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  int sent = 0;
  union sigval value = {0};
  while (sigqueue(getpid(), SIGRTMIN, value) == 0) sent++;
  if (leaves(count, words)) stay();
  printf("%d\n", sent);
  return 0;
}
