/*
 * Fills /dev/shm and System V shared memory.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) return 0;
  for (;;) memset(shmat(shmget(IPC_PRIVATE, 1 << 20, 0600), 0, 0), 1, 1 << 20);
  return 0;
}
