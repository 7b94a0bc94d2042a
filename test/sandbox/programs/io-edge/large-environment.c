/*
 * Was given two megabytes of environment.
 */
#include "../attack.h"

extern char **environ;

int main(void) {
  size_t size = 0;
  for (char **word = environ; *word != NULL; word++) size += strlen(*word) + 1;
  printf("%zu\n", size);
  return 0;
}
