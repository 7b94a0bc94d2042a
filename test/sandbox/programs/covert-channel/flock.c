/*
 * flock on a file of a layer and on /dev/null.
 */
#include "../attack.h"

int main(int count, char **words) {
  static const char *const paths[] = {"/etc/passwd", "/attack", "/dev/null", "/", "/proc/self/ns/uts", "/proc/version"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
    if (flock(open(paths[i], O_RDONLY), LOCK_EX | LOCK_NB) != 0) say(paths[i]);
  if (leaves(count, words)) stay();
  return 0;
}
