/*
 * Makes device nodes and opens the host's devices.
 */
#include "../attack.h"

int main(void) {
  TRY("disk", mknod("disk", S_IFBLK | 0666, makedev(254, 0)));
  TRY("null", mknod("null", S_IFCHR | 0666, makedev(1, 3)));
  TRY("memory", mknod("mem", S_IFCHR | 0666, makedev(1, 1)));
  static const char *const paths[] = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/kvm", "/dev/tty", "/dev/console", "/dev/ptmx", "/dev/loop-control", "/dev/hwrng"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
    if (open(paths[i], O_RDONLY | O_NONBLOCK) >= 0) say(paths[i]);
  TRY("in /dev", open("/dev/file", O_CREAT | O_WRONLY, 0600));
  return 0;
}
