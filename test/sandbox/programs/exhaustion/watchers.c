/*
 * Makes inotify instances until it is refused.
 */
#include "../attack.h"

int main(void) {
  int made = 0;
  while (inotify_init1(0) >= 0) made++;
  printf("%d\n", made > 0 && made < 1000);
  return 0;
}
