/*
 * Makes a file of 1 TB that holds nothing.
 */
#include "../attack.h"

int main(void) {
  int file = open("sparse", O_CREAT | O_RDWR, 0600);
  signal(SIGXFSZ, SIG_IGN);
  TRY("truncate", ftruncate(file, 1L << 40));
  TRY("write far", pwrite(file, "x", 1, 1L << 40));
  TRY("allocate", fallocate(file, 0, 0, 1L << 40));
  return 0;
}
