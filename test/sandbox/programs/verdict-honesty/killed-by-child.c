/*
 * Is killed by its child.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) kill(getppid(), SIGKILL);
  pause();
  return 0;
}
