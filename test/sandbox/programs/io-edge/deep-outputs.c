/*
 * Leaves a tree too deep to walk, with names as long as they can be, for whoever copies everything out.
 */
#include "../attack.h"

int main(void) {
  char name[256];
  memset(name, '\n', 255);
  name[255] = '\0';
  close(open(name, O_CREAT, 0644));
  name[254] = '\0';
  for (int i = 0; i < 3000; i++)
    if (mkdir(name, 0755) != 0 || chdir(name) != 0) return 2;
  return 0;
}
