/*
 * Sends itself the signal of a cpu limit.
 */
#include "../attack.h"

int main(void) {
  raise(SIGXCPU);
  return 0;
}
