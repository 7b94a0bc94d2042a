/*
 * Raises each of its limits, or lowers and raises it again.
 */
#include "../attack.h"

int main(void) {
  for (int which = 0; which < 16; which++) {
    struct rlimit now, more;
    getrlimit(which, &now);
    if (now.rlim_max == RLIM_INFINITY) continue;
    more = (struct rlimit){now.rlim_cur, now.rlim_max + 1};
    if (prlimit(0, which, &more, NULL) == 0 && which != RLIMIT_CORE) printf("%d was raised\n", which);
  }
  struct rlimit core = {0, 0};
  TRY("core 0 is pretended", setrlimit(RLIMIT_CORE, &core));
  getrlimit(RLIMIT_CORE, &core);
  printf("%d %d\n", (int)core.rlim_cur, (int)core.rlim_max);
  return 0;
}
