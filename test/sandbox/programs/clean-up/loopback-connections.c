/*
 * Leaves connections in every state of TCP.
 */
#include "../attack.h"

int main(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof here;
  int door = socket(AF_INET, SOCK_STREAM, 0);
  bind(door, (void *)&here, size);
  listen(door, 100);
  getsockname(door, (void *)&here, &size);
  for (int i = 0; i < 50; i++) {
    int one = socket(AF_INET, SOCK_STREAM, 0);
    connect(one, (void *)&here, size);
    if (i % 3 == 0) close(one);
    if (i % 3 == 1) shutdown(one, SHUT_WR);
  }
  return 0;
}
