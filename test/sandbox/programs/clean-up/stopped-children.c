/*
 * Leaves stopped children.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 5; i++) {
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    kill(child, SIGSTOP);
  }
  return 0;
}
