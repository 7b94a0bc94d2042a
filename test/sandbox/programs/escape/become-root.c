/*
 * Becomes another user or group.
 */
#include "../attack.h"

#include <grp.h>

int main(void) {
  gid_t groups[] = {0};
  TRY("setuid", setuid(0));
  TRY("setresuid", setresuid(0, 0, 0));
  TRY("setgid", setgid(0));
  TRY("setgroups", setgroups(1, groups));
  TRY("setfsuid", syscall(SYS_setfsuid, 0) == 1000 && syscall(SYS_setfsuid, -1) == 1000 ? (errno = EPERM, -1) : 0);
  TRY("map", write_file("/proc/self/uid_map", "0 0 1"));
  TRY("chown", (close(open("mine", O_CREAT | O_WRONLY, 0600)), chown("mine", 0, 0)));
  return 0;
}
