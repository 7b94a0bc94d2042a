/*
 * Leaves a child that goes on writing after it has ended.
 */
#include "../attack.h"

int main(void) {
  int ready[2];
  pipe(ready);
  if (fork() == 0) {
    setsid();
    write(ready[1], "x", 1);
    for (;;) write(1, "late\n", 5);
  }
  char byte;
  read(ready[0], &byte, 1);
  return 0;
}
