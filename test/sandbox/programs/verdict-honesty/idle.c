/*
 * Waits for what never comes.
 */
#include "../attack.h"

int main(void) {
  for (;;) pause();
  return 0;
}
