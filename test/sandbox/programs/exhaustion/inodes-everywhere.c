/*
 * Uses up inodes in /tmp and /dev/shm: one limit covers them and the root.
 */
#include "../attack.h"

int main(void) {
  int made = 2;
  for (char name[48];; made++) {
    snprintf(name, sizeof name, "%s/f%d", made % 2 ? "/tmp" : "/dev/shm", made);
    if (mkdir(name, 0700) != 0) break;
  }
  printf("%d %d\n", made, mkdir("one-more", 0700));
  return 0;
}
