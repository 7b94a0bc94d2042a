/*
 * Fills the buffers of loopback connections, which cgroup v1 counts apart: refused at the limit.
 */
#include "../attack.h"

static char block[1 << 16];

int main(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof here;
  int door = socket(AF_INET, SOCK_STREAM, 0);
  bind(door, (void *)&here, size);
  listen(door, 500);
  getsockname(door, (void *)&here, &size);
  long held = 0;
  for (int i = 0; i < 60; i++) {
    int one = socket(AF_INET, SOCK_STREAM, 0), room = 1 << 22;
    setsockopt(one, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (connect(one, (void *)&here, size) != 0) break;
    int other = accept(door, 0, 0);
    setsockopt(other, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    fcntl(one, F_SETFL, O_NONBLOCK);
    for (long wrote; (wrote = write(one, block, sizeof block)) > 0;) held += wrote;
  }
  say(held < 80 << 20 ? "bounded" : "unbounded");
  return 0;
}
