/*
 * Holds its parent in vfork and does not let go.
 */
#include "../attack.h"

int main(void) {
  if (vfork() == 0) for (;;) pause();
  return 0;
}
