/*
 * Hides bytes in the names and values of attributes.
 */
#include "../attack.h"

static char block[60000];

int main(void) {
  int file = open("f", O_CREAT | O_WRONLY, 0600), set = 0;
  char name[64];
  for (;; set++) {
    snprintf(name, sizeof name, "user.%d", set);
    if (fsetxattr(file, name, block, 60000, 0) != 0) break;
  }
  printf("%d\n", set < 20);
  return 0;
}
