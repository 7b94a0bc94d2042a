/*
 * Numbers of processes, which count up.
 */
#include "../attack.h"

int main(int count, char **words) {
  for (int i = 0; i < 30 && leaves(count, words); i++)
    if (fork() == 0) _exit(0);
  if (leaves(count, words)) stay();
  printf("%d\n", getpid() < 5);
  return 0;
}
