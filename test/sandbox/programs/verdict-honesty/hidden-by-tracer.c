/*
 * Hides its end behind a child that traces it.
 */
#include "../attack.h"

int main(void) {
  int ready[2];
  pipe(ready);
  pid_t parent = getpid();
  if (fork() == 0) {
    if (ptrace(PTRACE_SEIZE, parent, 0, 0) != 0) kill(parent, SIGKILL);
    write(ready[1], "x", 1);
    for (;;) pause();
  }
  char byte;
  read(ready[0], &byte, 1);
  _exit(0);
  return 0;
}
