/*
 * The name of the machine.
 */
#include "../attack.h"

int main(int count, char **words) {
  char name[64] = "";
  TRY("set", sethostname("left", 4));
  if (leaves(count, words)) stay();
  gethostname(name, sizeof name);
  say(name);
  return 0;
}
