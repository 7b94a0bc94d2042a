/*
 * Named POSIX semaphores, which are files of /dev/shm.
 */
#include "../attack.h"

#include <semaphore.h>

int main(int count, char **words) {
  if (leaves(count, words)) {
    sem_open("/s", O_CREAT, 0666, 1);
    stay();
  }
  TRY("semaphore", sem_open("/s", 0) == SEM_FAILED ? -1 : 0);
  return 0;
}
