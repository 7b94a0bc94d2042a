/*
 * Reads a file larger than its memory: page cache is no reason to end it.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  char name[32];
  for (int i = 0; i < 6; i++) {
    int file = open("/attack", O_RDONLY);
    while (read(file, block, sizeof block) > 0) continue;
    close(file);
  }
  void *shown = mmap(0, 1 << 20, PROT_READ, MAP_SHARED, open("/attack", O_RDONLY), 0);
  printf("%d\n", *(unsigned char *)shown);
  return 0;
}
