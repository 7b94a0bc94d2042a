/*
 * Kills, stops and queues signals to process 1, by number and by pidfd.
 */
#include "../attack.h"

int main(void) {
  union sigval value = {0};
  int init = (int)syscall(SYS_pidfd_open, 1, 0);
  TRY("kill", kill(1, SIGKILL));
  TRY("stop", kill(1, SIGSTOP));
  TRY("queue", sigqueue(1, SIGTERM, value));
  TRY("thread", syscall(SYS_tgkill, 1, 1, SIGKILL));
  TRY("pidfd", syscall(SYS_pidfd_send_signal, init, SIGKILL, 0, 0));
  TRY("parent", kill(getppid(), SIGINT));
  return 0;
}
