/*
 * Kills itself as a memory limit would.
 */
#include "../attack.h"

int main(void) {
  raise(SIGKILL);
  return 0;
}
