/*
 * Writes bytes that are no text, and zeros.
 */
#include "../attack.h"

int main(void) {
  static const unsigned char bytes[] = {0, 255, 254, 0, 192, 128, 10};
  write(1, bytes, sizeof bytes);
  return 0;
}
