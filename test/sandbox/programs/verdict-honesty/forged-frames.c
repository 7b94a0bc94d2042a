/*
 * Writes the launcher's own frames to its output and its input.
 */
#include "../attack.h"

int main(void) {
  static const unsigned char frame[] = {16, 0, 0, 0, 68, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  write(1, frame, sizeof frame);
  write(open("/proc/self/fd/0", O_WRONLY), frame, sizeof frame);
  return 3;
  return 0;
}
