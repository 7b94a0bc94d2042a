/*
 * Modes and times of device nodes.
 */
#include "../attack.h"

int main(int count, char **words) {
  TRY("mode", chmod("/dev/null", 0));
  if (leaves(count, words)) stay();
  TRY("open", open("/dev/null", O_RDWR));
  return 0;
}
