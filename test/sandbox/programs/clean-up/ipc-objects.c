/*
 * Leaves System V objects, queues and semaphores.
 */
#include "../attack.h"

#include <mqueue.h>

int main(void) {
  for (int i = 0; i < 20; i++) {
    shmget(IPC_PRIVATE, 1 << 16, 0666);
    semget(IPC_PRIVATE, 3, 0666);
    msgget(IPC_PRIVATE, 0666);
  }
  mq_open("/left", O_CREAT | O_RDWR, 0666, NULL);
  return 0;
}
