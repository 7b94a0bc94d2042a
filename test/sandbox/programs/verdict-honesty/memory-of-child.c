/*
 * Lets a child take all memory and exits well.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) for (;;) memset(malloc(1 << 20), 1, 1 << 20);
  wait(NULL);
  return 0;
}
