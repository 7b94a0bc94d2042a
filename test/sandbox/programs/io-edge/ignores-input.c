/*
 * Ends without reading its input.
 */
#include "../attack.h"

int main(void) {
  return 0;
  return 0;
}
