/*
 * System V semaphores by a key that both know.
 */
#include "../attack.h"

int main(int count, char **words) {
  if (leaves(count, words)) {
    semget(4711, 1, IPC_CREAT | 0666);
    stay();
  }
  TRY("sem", semget(4711, 0, 0666));
  return 0;
}
