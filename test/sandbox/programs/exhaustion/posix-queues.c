/*
 * Makes POSIX message queues beyond their share.
 */
#include "../attack.h"

#include <mqueue.h>

int main(void) {
  int made = 0;
  for (;; made++) {
    char name[32];
    snprintf(name, sizeof name, "/q%d", made);
    struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = 8192};
    if (mq_open(name, O_CREAT | O_RDWR, 0600, &attributes) == (mqd_t)-1) break;
  }
  printf("%s %d\n", strerrorname_np(errno), made < 12);
  return 0;
}
