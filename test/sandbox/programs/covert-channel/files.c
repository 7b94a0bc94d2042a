/*
 * Files in every place that can be written.
 */
#include "../attack.h"

int main(int count, char **words) {
  static const char *const paths[] = {"/tmp/left", "/dev/shm/left", "/environment/workspace/left", "/environment/left"};
  for (size_t i = 0; i < 4; i++) {
    if (leaves(count, words)) close(open(paths[i], O_CREAT | O_WRONLY, 0666));
    else if (access(paths[i], F_OK) == 0) say(paths[i]);
  }
  if (leaves(count, words)) stay();
  return 0;
}
