/*
 * System V shared memory by a key that both know.
 */
#include "../attack.h"

int main(int count, char **words) {
  if (leaves(count, words)) {
    shmget(4711, 4096, IPC_CREAT | 0666);
    stay();
  }
  TRY("shm", shmget(4711, 0, 0666));
  return 0;
}
