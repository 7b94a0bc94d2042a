/*
 * System V messages by a key that both know.
 */
#include "../attack.h"

int main(int count, char **words) {
  if (leaves(count, words)) {
    msgget(4711, IPC_CREAT | 0666);
    stay();
  }
  TRY("msg", msgget(4711, 0666));
  return 0;
}
