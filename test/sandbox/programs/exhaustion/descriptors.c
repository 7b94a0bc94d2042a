/*
 * Opens files until it is refused, and raises the limit.
 */
#include "../attack.h"

int main(void) {
  struct rlimit more = {4096, 4096};
  TRY("raise", setrlimit(RLIMIT_NOFILE, &more));
  int last = 0;
  for (int next; (next = open("/dev/null", O_RDONLY)) >= 0;) last = next;
  printf("%d %s\n", last, strerrorname_np(errno));
  return 0;
}
