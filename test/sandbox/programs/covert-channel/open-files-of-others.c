/*
 * Files of processes with the same id inside.
 */
#include "../attack.h"

int main(int count, char **words) {
  if (leaves(count, words)) stay();
  int found = 0;
  char path[64];
  for (int id = 1; id < 33000; id++) {
    snprintf(path, sizeof path, "/proc/%d/root", id);
    found += id != getpid() && access(path, F_OK) == 0;
  }
  printf("%d\n", found);
  return 0;
}
