/*
 * Mounts with the new calls.
 */
#include "../attack.h"

int main(void) {
  TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  TRY("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
  TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  TRY("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/proc", 0));
  TRY("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, 0, 0));
  TRY("open_tree_attr", syscall(467, AT_FDCWD, "/", 1, 0, 0));
  return 0;
}
