/*
 * Makes a set-id copy of a program and runs it.
 */
#include "../attack.h"

int main(void) {
  int from = open("/usr/bin/id", O_RDONLY), to = open("id", O_CREAT | O_WRONLY, 0755);
  static char block[1 << 20];
  write(to, block, read(from, block, sizeof block));
  fchmod(to, 06755);
  close(to);
  char *argv[] = {"id", "-u", NULL}, *none[] = {NULL};
  execve("./id", argv, none);
  say(strerrorname_np(errno));
  return 0;
}
