/*
 * Has the kernel load modules of protocols that no program needs.
 */
#include "../attack.h"

int main(void) {
  static const int protocols[] = {2, 33, 41, 47, 94, 103, 115, 132, 136, 143, 255, 256, 262};
  for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
    for (int type = 1; type <= 5; type++)
      if (socket(AF_INET, type, protocols[i]) >= 0 || errno != EPROTONOSUPPORT) printf("%d %d\n", protocols[i], type);
  TRY("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  TRY("packet by its old name", socket(AF_INET, SOCK_PACKET, 0));
  TRY("tcp", socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
  TRY("udp", socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP));
  return 0;
}
