/*
 * Leaves two processes that start each other again.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) {
    signal(SIGCHLD, SIG_IGN);
    for (;;)
      if (fork() == 0) usleep(1000);
  }
  return 0;
}
