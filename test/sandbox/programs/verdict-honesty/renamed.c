/*
 * Names itself with line ends and quotes, as if to write in a log.
 */
#include "../attack.h"

int main(void) {
  prctl(PR_SET_NAME, "\"\n{\"x\":1}\n");
  abort();
  return 0;
}
