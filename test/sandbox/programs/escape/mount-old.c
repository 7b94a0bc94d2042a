/*
 * Mounts, moves, binds and unmounts with the old calls.
 */
#include "../attack.h"

int main(void) {
  TRY("tmpfs", mount("x", "/tmp", "tmpfs", 0, 0));
  TRY("bind", mount("/", "/tmp", 0, MS_BIND | MS_REC, 0));
  TRY("remount", mount(0, "/proc/sys", 0, MS_REMOUNT | MS_BIND, 0));
  TRY("proc", mount("proc", "/tmp", "proc", 0, 0));
  TRY("propagation", mount(0, "/", 0, MS_SHARED, 0));
  TRY("umount", umount2("/proc/keys", MNT_DETACH));
  return 0;
}
