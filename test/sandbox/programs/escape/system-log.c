/*
 * Fills the host's log: no daemon listens inside, and the kernel's log takes nothing.
 */
#include "../attack.h"

#include <sys/klog.h>

int main(void) {
  int log = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un name = {AF_UNIX, "/dev/log"}, journal = {AF_UNIX, "/run/systemd/journal/socket"};
  TRY("daemon", connect(log, (struct sockaddr *)&name, sizeof name));
  TRY("journal", connect(log, (struct sockaddr *)&journal, sizeof journal));
  TRY("kernel", open("/dev/kmsg", O_WRONLY));
  TRY("read", klogctl(3, (char[64]){0}, 64));
  return 0;
}
