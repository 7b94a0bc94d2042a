/*
 * Makes as many files as it can: exactly diskInodes.
 */
#include "../attack.h"

int main(void) {
  int made = 2;
  for (char name[32];; made++) {
    snprintf(name, sizeof name, "f%d", made);
    int file = open(name, O_CREAT | O_WRONLY, 0600);
    if (file < 0) break;
    close(file);
  }
  printf("%d %s\n", made, strerrorname_np(errno));
  return 0;
}
