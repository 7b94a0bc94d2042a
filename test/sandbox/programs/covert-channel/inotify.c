/*
 * A watch on a file of a layer, which tells when another opens it.
 */
#include "../attack.h"

int main(int count, char **words) {
  int watcher = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(watcher, "/etc/passwd", IN_ALL_EVENTS);
  if (leaves(count, words)) {
    say("left");
    char event[4096];
    for (;; poll(&(struct pollfd){watcher, POLLIN}, 1, -1))
      if (read(watcher, event, sizeof event) > 0) say("the other run opened it"), shmget(4711, 1, IPC_CREAT);
  }
  char text[64];
  read_file("/etc/passwd", text, sizeof text);
  char event[4096];
  printf("%d\n", read(watcher, event, sizeof event) > 0);
  return 0;
}
