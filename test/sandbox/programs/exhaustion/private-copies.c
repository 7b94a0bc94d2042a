/*
 * Writes to its private copy of a mapped file that is larger than its memory, as initialised data would be.
 */
#include "../attack.h"

enum { SIZE = 100 << 20 };

int main(void) {
  int file = open("f", O_CREAT | O_RDWR, 0600);
  ftruncate(file, SIZE);
  char *data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  say(data == MAP_FAILED ? "refused" : "mapped");
  for (size_t at = 0; at < SIZE; at += 4096) data[at] = 1;
  return 0;
}
