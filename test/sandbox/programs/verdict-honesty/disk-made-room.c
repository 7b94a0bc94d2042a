/*
 * Is refused room, deletes what it had and fails: nothing is full at its end, so its own exit code is all that is known.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  int file = open("f", O_CREAT | O_WRONLY, 0600);
  while (write(file, block, sizeof block) > 0) continue;
  say(strerrorname_np(errno));
  close(file);
  unlink("f");
  return 5;
}
