/*
 * Signals to processes of the other run.
 */
#include "../attack.h"

int main(int count, char **words) {
  if (leaves(count, words)) stay();
  int reached = 0;
  for (int id = 1; id < 70000; id++) reached += id != getpid() && kill(id, 0) == 0;
  printf("%d\n", reached);
  return 0;
}
