/*
 * Exits with 256, of which eight bits are zero.
 */
#include "../attack.h"

int main(void) {
  exit(256);
  return 0;
}
