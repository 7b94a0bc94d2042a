/*
 * Writes to the kernel's settings below /proc.
 */
#include "../attack.h"

int main(void) {
  static const char *const paths[] = {"kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "kernel/ns_last_pid", "vm/drop_caches", "vm/overcommit_memory", "net/ipv4/ip_forward", "fs/binfmt_misc/register", "kernel/shmmax", "user/max_user_namespaces"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/%s", paths[i]);
    if (write_file(path, "1") >= 0) say(path);
  }
  TRY("remake", open("/proc/sys/x", O_CREAT | O_WRONLY, 0600));
  return 0;
}
