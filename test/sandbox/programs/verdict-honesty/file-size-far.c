/*
 * Writes one byte far behind the largest size: the kernel's signal, but no file that proves it.
 */
#include "../attack.h"

int main(void) {
  int file = open("f", O_CREAT | O_WRONLY, 0600);
  lseek(file, INT64_C(1) << 31, SEEK_SET);
  return (int)write(file, "x", 1);
}
