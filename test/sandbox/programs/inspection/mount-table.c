/*
 * Reads its mount table: it names no path of the host.
 */
#include "../attack.h"

int main(void) {
  static const char *const tables[] = {"/proc/self/mountinfo", "/proc/self/mounts", "/proc/self/mountstats"};
  static const char *const words[] = {"/root/", "/home", "/var/lib", "store", "/tmp/envicutor", "ext4", "/dev/vd", "/dev/sd", "cgroup"};
  static char text[1 << 18];
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
    if (read_file(tables[i], text, sizeof text) <= 0) say("no table");
    for (size_t j = 0; j < sizeof words / sizeof words[0]; j++)
      if (strstr(text, words[j]) != NULL) printf("%s: %s\n", tables[i], words[j]);
  }
  return 0;
}
