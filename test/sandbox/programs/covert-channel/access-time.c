/*
 * The access time of a file of a layer.
 */
#include "../attack.h"

int main(int count, char **words) {
  struct stat before;
  stat("/etc/passwd", &before);
  if (leaves(count, words)) {
    char text[64];
    read_file("/etc/passwd", text, sizeof text);
    utimensat(AT_FDCWD, "/etc/passwd", NULL, 0);
    stay();
  }
  printf("%d\n", time(NULL) < before.st_atime);
  TRY("touch", utimensat(AT_FDCWD, "/etc/passwd", NULL, 0));
  return 0;
}
