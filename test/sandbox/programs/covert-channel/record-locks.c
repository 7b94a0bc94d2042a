/*
 * Record locks on a file of a layer, of the old and the descriptor kind.
 */
#include "../attack.h"

int main(int count, char **words) {
  int file = open("/etc/passwd", O_RDONLY);
  for (int kind = 0; kind < 2; kind++) {
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    fcntl(file, kind ? F_OFD_SETLK : F_SETLK, &lock);
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(file, kind ? F_OFD_GETLK : F_GETLK, &lock);
    if (lock.l_type != F_UNLCK && !leaves(count, words) && kind == 0) say("locked");
  }
  if (leaves(count, words)) stay();
  static char text[4096];
  printf("%ld\n", read_file("/proc/locks", text, sizeof text) > 0 && strstr(text, ":") && count > 2);
  return 0;
}
