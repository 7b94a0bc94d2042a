/*
 * Looks for the host's paths in its mounts, cgroups and environment.
 */
#include "../attack.h"

int main(void) {
  static const char *const paths[] = {"/proc/self/mountinfo", "/proc/self/cgroup", "/proc/self/environ", "/proc/self/mounts", "/proc/self/maps"};
  static char text[1 << 16];
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    long size = read_file(paths[i], text, sizeof text);
    for (long at = 0; at < size; at++) if (text[at] == 0) text[at] = ' ';
    if (strstr(text, "/var/lib") || strstr(text, "/run/envicutor-") || strstr(text, "envicutor-programs") || strstr(text, "store/") || strstr(text, "/s1")) say(text);
  }
  return 0;
}
