/*
 * The number of inotify instances that a user may have.
 */
#include "../attack.h"

int main(int count, char **words) {
  int made = 0;
  while (inotify_init1(0) >= 0) made++;
  if (leaves(count, words)) stay();
  printf("%d\n", made > 0);
  return 0;
}
