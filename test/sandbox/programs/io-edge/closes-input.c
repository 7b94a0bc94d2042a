/*
 * Closes its input while it is being written.
 */
#include "../attack.h"

int main(void) {
  close(0);
  say("closed");
  return 0;
}
