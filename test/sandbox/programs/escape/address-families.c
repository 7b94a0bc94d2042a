/*
 * Opens a socket of every family that no program needs.
 */
#include "../attack.h"

int main(void) {
  for (int family = 0; family < 64; family++)
    for (int type = 1; type <= 5; type++)
      if (family != AF_UNIX && family != AF_INET && family != AF_INET6 && socket(family, type, 0) >= 0) printf("family %d type %d\n", family, type);
  TRY("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  TRY("netlink", socket(AF_NETLINK, SOCK_RAW, 12));
  TRY("packet", socket(AF_PACKET, SOCK_RAW, 768));
  TRY("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
  TRY("high bits", syscall(SYS_socket, 0x100000000UL | AF_VSOCK, SOCK_STREAM, 0));
  int pair[2];
  TRY("pair", socketpair(AF_TIPC, SOCK_STREAM, 0, pair));
  return 0;
}
