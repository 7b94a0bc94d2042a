/*
 * Keys of the session, the user and the user's session.
 */
#include "../attack.h"

int main(int count, char **words) {
  static const int rings[] = {-1, -2, -3, -4, -5};
  for (int i = 0; i < 5; i++) {
    if (syscall(SYS_add_key, "user", "envicutor-attack", "x", 1, rings[i]) >= 0) say("added");
    if (syscall(SYS_request_key, "user", "envicutor-attack", 0, rings[i]) >= 0) say("found");
    if (syscall(SYS_keyctl, 0, rings[i], 1) >= 0) say("a ring");
  }
  if (leaves(count, words)) stay();
  return 0;
}
