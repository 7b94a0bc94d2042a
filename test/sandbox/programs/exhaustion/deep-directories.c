/*
 * Makes a directory 100,000 deep, as far as its inodes go.
 */
#include "../attack.h"

int main(void) {
  int depth = 0;
  while (mkdir("d", 0700) == 0 && chdir("d") == 0) depth++;
  printf("%d\n", depth);
  return 0;
}
