/*
 * Counts ten thousand arguments.
 */
#include "../attack.h"

int main(int count, char **words) {
  printf("%d\n", words[count] == NULL ? count : 0);
  return 0;
}
