/*
 * Stops its whole family, the parent last.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 4; i++) {
    pid_t child = fork();
    if (child == 0)
      for (;;) pause();
    kill(child, SIGSTOP);
  }
  kill(0, SIGSTOP);
  for (;;) pause();
}
