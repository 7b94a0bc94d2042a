/*
 * Numbers of System V objects, which count up.
 */
#include "../attack.h"

int main(int count, char **words) {
  int id = shmget(IPC_PRIVATE, 4096, 0600), last = id;
  if (leaves(count, words)) {
    for (int i = 0; i < 50; i++) shmctl(shmget(IPC_PRIVATE, 4096, 0600), IPC_RMID, 0);
    stay();
  }
  printf("%d\n", last);
  return 0;
}
