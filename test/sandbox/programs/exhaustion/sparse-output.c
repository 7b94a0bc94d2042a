/*
 * Writes its output by splice and vmsplice: it is counted all the same.
 */
#include "../attack.h"

static char block[1 << 15];

int main(void) {
  int ends[2];
  pipe(ends);
  for (;;) {
    struct iovec piece = {block, sizeof block};
    vmsplice(ends[1], &piece, 1, 0);
    splice(ends[0], 0, 1, 0, sizeof block, 0);
  }
  return 0;
}
