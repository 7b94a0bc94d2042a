/*
 * POSIX message queues by name, and the number that fit.
 */
#include "../attack.h"

#include <mqueue.h>

int main(int count, char **words) {
  if (leaves(count, words)) {
    for (int i = 0; i < 12; i++) {
      char name[16];
      snprintf(name, sizeof name, "/q%d", i);
      mq_open(name, O_CREAT | O_RDWR, 0666, NULL);
    }
    stay();
  }
  TRY("queue", mq_open("/q0", O_RDWR));
  TRY("room", mq_open("/mine", O_CREAT | O_RDWR, 0600, NULL));
  return 0;
}
