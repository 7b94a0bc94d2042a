/*
 * The pages of pipes that a user may have.
 */
#include "../attack.h"

int main(int count, char **words) {
  int ends[2];
  int full = 0;
  for (int i = 0; i < 80; i++) {
    pipe(ends);
    full += fcntl(ends[0], F_SETPIPE_SZ, 1 << 18) > 0;
  }
  if (leaves(count, words)) stay();
  printf("%d\n", full);
  return 0;
}
