/*
 * Reads what /proc tells of the kernel and the hardware.
 */
#include "../attack.h"

int main(void) {
  static const char *const paths[] = {"kcore", "keys", "key-users", "timer_list", "kallsyms", "kmsg", "config.gz", "sched_debug", "kpagecount", "vmallocinfo", "slabinfo", "pagetypeinfo"};
  char text[4096];
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s", paths[i]);
    if (read_file(path, text, sizeof text) > 0) say(paths[i]);
  }
  return 0;
}
