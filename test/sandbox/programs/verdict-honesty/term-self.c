/*
 * Ends by a termination signal.
 */
#include "../attack.h"

int main(void) {
  raise(SIGTERM);
  return 0;
}
