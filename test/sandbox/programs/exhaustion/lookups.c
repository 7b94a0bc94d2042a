/*
 * Looks for very many names that are not there: what the kernel remembers of it can be given back, so it ends nothing.
 */
#include "../attack.h"

int main(void) {
  char path[256];
  struct stat state;
  memset(path, 'x', sizeof path);
  for (int i = 0; i < 120000; i++) {
    snprintf(path, sizeof path, "%0200d", i);
    stat(path, &state);
  }
  say("looked");
  return 0;
}
