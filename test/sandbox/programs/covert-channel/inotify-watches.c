/*
 * The number of inotify watches that a user may have.
 */
#include "../attack.h"

int main(int count, char **words) {
  int watcher = inotify_init1(0);
  int made = inotify_add_watch(watcher, "/tmp", IN_OPEN) > 0;
  for (int i = 0; leaves(count, words) && i < 1000; i++) {
    char name[32];
    snprintf(name, sizeof name, "f%d", i);
    mkdir(name, 0700);
    inotify_add_watch(watcher, name, IN_OPEN);
  }
  if (leaves(count, words)) stay();
  printf("%d\n", made);
  return 0;
}
