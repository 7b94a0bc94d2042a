/*
 * Is told that a device is full, and fails: its disk is not.
 */
#include "../attack.h"

int main(void) {
  int file = open("/dev/full", O_WRONLY);
  TRY("write", write(file, "x", 1));
  return 1;
}
