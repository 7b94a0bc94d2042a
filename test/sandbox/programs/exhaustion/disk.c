/*
 * Writes until the disk is full, in pieces below the largest file.
 */
#include "../attack.h"

static char block[1 << 18];

int main(void) {
  for (int made = 0;; made++) {
    char name[32];
    snprintf(name, sizeof name, "f%d", made);
    int file = open(name, O_CREAT | O_WRONLY, 0600);
    if (file < 0 || write(file, block, sizeof block) < (long)sizeof block) return 3;
    close(file);
  }
  return 0;
}
