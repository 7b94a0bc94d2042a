/*
 * Numbers of inodes, which count up.
 */
#include "../attack.h"

int main(int count, char **words) {
  struct stat state;
  close(open("/tmp/first", O_CREAT | O_WRONLY, 0600));
  for (int i = 0; i < 500 && leaves(count, words); i++) mkdir("d", 0700), rmdir("d");
  if (leaves(count, words)) stay();
  stat("/tmp/first", &state);
  printf("%d\n", state.st_ino < 200);
  return 0;
}
