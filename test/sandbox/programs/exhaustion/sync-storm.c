/*
 * Flushes the host's disks for ever: its calls do nothing.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 100000; i++) sync();
  say("done");
  return 0;
}
