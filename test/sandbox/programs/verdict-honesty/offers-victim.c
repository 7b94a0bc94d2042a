/*
 * Offers a child to the kernel's memory killer, to live on.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) {
    write_file("/proc/self/oom_score_adj", "1000");
    for (;;) memset(malloc(1 << 20), 1, 1 << 20);
  }
  for (;;) pause();
  return 0;
}
