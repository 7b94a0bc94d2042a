/*
 * Leaves directories that nobody may enter.
 */
#include "../attack.h"

int main(void) {
  for (int i = 0; i < 50; i++) {
    mkdir("d", 0700);
    chdir("d");
    close(open("f", O_CREAT | O_WRONLY, 0));
  }
  for (int i = 0; i < 50; i++) {
    chdir("..");
    chmod("d", 0);
  }
  return 0;
}
