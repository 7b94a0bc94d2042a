/*
 * Takes and gives back, in turn, more memory in all than it may have at a time: in its heap, in a file and in shared memory.
 */
#include "../attack.h"

enum { SIZE = 20 << 20 };

int main(void) {
  for (int round = 0; round < 4; round++) {
    char *heap = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(heap, 1, SIZE);
    munmap(heap, SIZE);
    int file = memfd_create("f", 0);
    if (ftruncate(file, SIZE) != 0) return 2;
    char *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    memset(shared, 1, SIZE);
    munmap(shared, SIZE);
    close(file);
    file = open("f", O_CREAT | O_RDWR | O_TRUNC, 0600);
    static char block[1 << 16];
    for (int i = 0; i < SIZE / (1 << 16); i++)
      if (write(file, block, sizeof block) != sizeof block) return 3;
    close(file);
    unlink("f");
  }
  say("given back");
  return 0;
}
