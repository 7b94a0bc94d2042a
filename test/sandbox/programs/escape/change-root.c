/*
 * Leaves its root by chroot and pivot_root.
 */
#include "../attack.h"

int main(void) {
  TRY("chroot", chroot("/tmp"));
  TRY("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
  chdir("/");
  for (int i = 0; i < 100; i++) chdir("..");
  TRY("beside", access("raw", F_OK) == 0 || access("space", F_OK) == 0 || access("layers", F_OK) == 0 ? 0 : -1);
  return 0;
}
