/*
 * Holds deleted files, sockets and timers at its end.
 */
#include "../attack.h"

int main(void) {
  int held = open("f", O_CREAT | O_RDWR, 0600);
  unlink("f");
  ftruncate(held, 1 << 20);
  mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, held, 0);
  bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&(struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "s"}, sizeof(struct sockaddr_un));
  eventfd(0, 0);
  inotify_add_watch(inotify_init1(0), "/", IN_ALL_EVENTS);
  raise(SIGKILL);
  return 0;
}
