/*
 * Runs into a breakpoint.
 */
#include "../attack.h"

int main(void) {
  raise(SIGTRAP);
  return 0;
}
