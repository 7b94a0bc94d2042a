/*
 * Climbs from its own namespaces to those that own them.
 */
#include "../attack.h"

int main(void) {
  int user = open("/proc/self/ns/user", O_RDONLY), pid = open("/proc/self/ns/pid", O_RDONLY), net = open("/proc/self/ns/net", O_RDONLY);
  TRY("user's parent", ioctl(user, _IO(0xb7, 2)));
  TRY("pid's parent", ioctl(pid, _IO(0xb7, 2)));
  TRY("net's owner", ioctl(net, _IO(0xb7, 1)));
  return 0;
}
