/*
 * The memory that a user may lock.
 */
#include "../attack.h"

int main(int count, char **words) {
  static char block[1 << 20];
  int pages = 0;
  while (pages < 256 && mlock(block + pages * 4096, 4096) == 0) pages++;
  if (leaves(count, words)) stay();
  printf("%d\n", pages >= 15);
  return 0;
}
