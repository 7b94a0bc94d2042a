/*
 * Changes its network namespace: devices, routes, packet filters.
 */
#include "../attack.h"

int main(void) {
  struct ifreq device = {.ifr_name = "lo"};
  char table[64] = "filter";
  int control = socket(AF_INET, SOCK_DGRAM, 0);
  TRY("down", ioctl(control, SIOCSIFFLAGS, &device));
  TRY("address", ioctl(control, SIOCSIFADDR, &device));
  TRY("route", ioctl(control, SIOCADDRT, table));
  TRY("iptables", setsockopt(control, 0, 64, table, sizeof table));
  TRY("tun", open("/dev/net/tun", O_RDWR));
  return 0;
}
