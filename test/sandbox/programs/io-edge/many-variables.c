/*
 * Counts ten thousand variables of its environment.
 */
#include "../attack.h"

int main(void) {
  extern char **environ;
  int found = 0;
  while (environ[found] != NULL) found++;
  printf("%d\n", found);
  return 0;
}
