/*
 * Aborts.
 */
#include "../attack.h"

int main(void) {
  abort();
  return 0;
}
