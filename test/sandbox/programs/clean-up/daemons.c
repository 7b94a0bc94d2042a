/*
 * Leaves daemons in sessions of their own.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 10; i++)
    if (fork() == 0) {
      setsid();
      if (fork() != 0) _exit(0);
      for (;;) pause();
    }
  for (int i = 0; i < 10; i++) wait(NULL);
  return 0;
}
