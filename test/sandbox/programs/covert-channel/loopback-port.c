/*
 * A port of the loopback device.
 */
#include "../attack.h"

int main(int count, char **words) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(4711), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int end = socket(AF_INET, SOCK_STREAM, 0);
  if (leaves(count, words)) {
    bind(end, (void *)&name, sizeof name);
    listen(end, 1);
    stay();
  }
  TRY("connect", connect(end, (void *)&name, sizeof name));
  return 0;
}
