/*
 * Uses most of its memory and gives it back.
 */
#include "../attack.h"

int main(void) {
  volatile char *all = malloc(48 << 20);
  for (int at = 0; at < 48 << 20; at += 4096) all[at] = 1;
  free((void *)all);
  return 0;
}
