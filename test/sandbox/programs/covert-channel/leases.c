/*
 * A lease on a file of a layer, which tells when another opens it.
 */
#include "../attack.h"

int main(int count, char **words) {
  int file = open("/etc/passwd", O_RDONLY);
  if (leaves(count, words)) {
    fcntl(file, F_SETLEASE, F_RDLCK);
    stay();
  }
  printf("%d\n", fcntl(file, F_GETLEASE) == F_UNLCK);
  return 0;
}
