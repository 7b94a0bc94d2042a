/*
 * Gives itself a smaller limit of file size and meets that one: not the limit that it was given.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000});
  int file = open("f", O_CREAT | O_WRONLY, 0600);
  while (write(file, block, sizeof block) > 0) continue;
  return 0;
}
