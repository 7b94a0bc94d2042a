/*
 * Exits with 139, the code that shells give to a crash.
 */
#include "../attack.h"

int main(void) {
  return 139;
  return 0;
}
