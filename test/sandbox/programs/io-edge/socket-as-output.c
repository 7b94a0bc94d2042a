/*
 * Replaces its output by a socket.
 */
#include "../attack.h"

int main(void) {
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  dup2(pair[0], 1);
  say("unheard");
  return 0;
}
