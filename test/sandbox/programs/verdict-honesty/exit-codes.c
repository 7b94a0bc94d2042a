/*
 * Exits with 137, the code that shells give to a killed program.
 */
#include "../attack.h"

int main(void) {
  return 137;
  return 0;
}
