/*
 * Fills System V message queues.
 */
#include "../attack.h"

int main(void) {
  struct { long kind; char text[8000]; } message = {1, {0}};
  for (;;) {
    int queue = msgget(IPC_PRIVATE, 0600);
    if (queue < 0) return 1;
    while (msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0) continue;
  }
  return 0;
}
