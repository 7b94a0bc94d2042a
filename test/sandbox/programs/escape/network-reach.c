/*
 * Reaches for the host, its neighbours and the metadata service.
 */
#include "../attack.h"

int main(void) {
  static const char *const addresses[] = {"169.254.169.254", "10.0.0.1", "172.17.0.1", "192.168.0.1", "198.18.0.1", "8.8.8.8"};
  for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = inet_addr(addresses[i])};
    TRY(addresses[i], connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&there, sizeof there));
  }
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(7070), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  TRY("coordinator", connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&here, sizeof here));
  return 0;
}
