/*
 * Watches what the whole host does through the figures in /proc.
 */
#include "../attack.h"

static void stir(void) {
  for (int i = 0; i < 20; i++) {
    if (fork() == 0) _exit(0);
    wait(NULL);
  }
}

int main(void) {
  static const char *const hidden[] = {"interrupts", "softirqs", "schedstat", "vmstat", "zoneinfo", "buddyinfo", "diskstats", "pressure/cpu", "pressure/memory", "cmdline", "modules", "sys/fs/file-nr", "sys/fs/dentry-state"};
  static char before[1 << 16], after[1 << 16], path[64];
  for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
    snprintf(path, sizeof path, "/proc/%s", hidden[i]);
    if (read_file(path, after, sizeof after) > 0) say(hidden[i]);
  }
  read_file("/proc/stat", before, sizeof before);
  stir();
  read_file("/proc/stat", after, sizeof after);
  say(strcmp(before, after) == 0 ? "stat stays" : "stat moves");
  say(strstr(after, "cpu0 ") != NULL && sysconf(_SC_NPROCESSORS_ONLN) > 0 ? "and tells cores" : "and tells nothing");
  read_file("/proc/loadavg", after, sizeof after);
  printf("%s", after);
  TRY("write", open("/proc/loadavg", O_WRONLY));
  return 0;
}
