/*
 * Counts the processors that it may use, in every way that programs do.
 */
#include "../attack.h"

int main(void) {
  cpu_set_t set;
  char text[65536] = "";
  sched_getaffinity(0, sizeof set, &set);
  printf("%d\n", CPU_COUNT(&set));
  read_file("/proc/self/status", text, sizeof text);
  const char *line = strstr(text, "Cpus_allowed_list:");
  printf("%.*s\n", (int)strcspn(line, "\n"), line);
  return 0;
}
