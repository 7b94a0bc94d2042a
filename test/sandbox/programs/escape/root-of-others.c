/*
 * Goes through /proc to the root, memory and files of process 1.
 */
#include "../attack.h"

int main(void) {
  TRY("root", open("/proc/1/root/etc/shadow", O_RDONLY));
  TRY("cwd", open("/proc/1/cwd", O_RDONLY));
  TRY("exe", open("/proc/1/exe", O_RDONLY));
  TRY("memory", open("/proc/1/mem", O_RDWR));
  TRY("map_files", open("/proc/1/map_files", O_RDONLY));
  TRY("by pidfd", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 3, 0));
  return 0;
}
