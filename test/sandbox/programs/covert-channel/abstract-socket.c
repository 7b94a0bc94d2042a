/*
 * A Unix socket in the abstract name space.
 */
#include "../attack.h"

int main(int count, char **words) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0envicutor-attack"};
  int end = socket(AF_UNIX, SOCK_STREAM, 0);
  if (leaves(count, words)) {
    bind(end, (void *)&name, sizeof name);
    listen(end, 1);
    stay();
  }
  TRY("connect", connect(end, (void *)&name, sizeof name));
  return 0;
}
