/*
 * Ignores that its file is too large, and succeeds.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  signal(SIGXFSZ, SIG_IGN);
  int file = open("f", O_CREAT | O_WRONLY, 0600);
  while (write(file, block, sizeof block) > 0) continue;
  say(strerrorname_np(errno));
  return 0;
}
