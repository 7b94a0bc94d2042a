/*
 * Uses up inodes with what is not a regular file.
 */
#include "../attack.h"

int main(void) {
  for (int made = 0;; made++) {
    char name[32];
    snprintf(name, sizeof name, "x%d", made);
    int kind = made % 4;
    if ((kind == 0 ? mkdir(name, 0700) : kind == 1 ? symlink("to", name) : kind == 2 ? mkfifo(name, 0600) : mknod(name, S_IFSOCK | 0600, 0)) != 0) return 1;
  }
  return 0;
}
