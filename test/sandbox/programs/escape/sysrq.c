/*
 * Asks the kernel to crash the machine: the file is our own /dev/null.
 */
#include "../attack.h"

int main(void) {
  write_file("/proc/sysrq-trigger", "c");
  char text[16];
  printf("%ld\n", read_file("/proc/sysrq-trigger", text, sizeof text) > 0);
  return 0;
}
