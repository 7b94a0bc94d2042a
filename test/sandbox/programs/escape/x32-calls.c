/*
 * Uses x32 numbers, which a filter by number alone does not know.
 */
#include "../attack.h"

int main(void) {
  static const long calls[] = {39, 101, 165, 272, 310, 323, 520, 521};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) TRY("x32", syscall(0x40000000 | calls[i], 0, 0, 0, 0));
  return 0;
}
