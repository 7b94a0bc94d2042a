/*
 * Settings of the kernel that belong to namespaces.
 */
#include "../attack.h"

int main(int count, char **words) {
  TRY("shmmni", write_file("/proc/sys/kernel/shmmni", "77"));
  TRY("port range", write_file("/proc/sys/net/ipv4/ip_local_port_range", "2000 2001"));
  if (leaves(count, words)) stay();
  return 0;
}
