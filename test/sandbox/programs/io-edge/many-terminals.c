/*
 * Opens terminals until there are no more: the machine has a few thousand for everybody.
 */
#include "../attack.h"

int main(void) {
  int count = 0;
  while (open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0) count++;
  printf("%d %s\n", count, strerrorname_np(errno));
  return 0;
}
