/*
 * Has a child that takes all memory while everybody else waits for ever: the end of one is the end of all.
 */
#include "../attack.h"

int main(void) {
  signal(SIGCHLD, SIG_IGN);
  for (int i = 0; i < 8; i++)
    if (fork() == 0)
      for (;;) pause();
  if (fork() == 0)
    for (;;) memset(malloc(1 << 20), 1, 1 << 20);
  for (;;) pause();
}
