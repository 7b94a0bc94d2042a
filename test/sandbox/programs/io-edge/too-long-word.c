/*
 * Is given an argument that the kernel refuses.
 */
#include "../attack.h"

int main(void) {
  say("ran");
  return 0;
}
