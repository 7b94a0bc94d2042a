/*
 * Recurses until the stack ends.
 */
#include "../attack.h"

static int deeper(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return deeper(depth + 1) + frame[0];
}

int main(void) {
  return deeper(1);
  return 0;
}
