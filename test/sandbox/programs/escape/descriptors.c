/*
 * Looks for descriptors that were left open (CVE-2024-21626).
 */
#include "../attack.h"

int main(void) {
  for (int i = 3; i < 4096; i++)
    if (fcntl(i, F_GETFD) >= 0) printf("%d is open\n", i);
  char path[256] = "";
  getcwd(path, sizeof path);
  say(path);
  return 0;
}
