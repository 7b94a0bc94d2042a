/*
 * Has a child that kills everyone whom it can reach by one call: its parent too.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) {
    kill(-1, SIGKILL);
    _exit(0);
  }
  for (;;) pause();
}
