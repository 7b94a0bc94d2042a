/*
 * Forks until it is refused: exactly its processes.
 */
#include "../attack.h"

int main(void) {
  int made = 1;
  for (; fork() > 0; made++) continue;
  if (made == 1 || errno != EAGAIN) pause();
  printf("%d\n", made);
  return 0;
}
