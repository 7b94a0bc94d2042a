/*
 * Writes a program and runs it.
 */
#include "../attack.h"

int main(void) {
  int file = open("made", O_CREAT | O_WRONLY, 0755);
  write(file, "#!/bin/sh\necho made\n", 20);
  close(file);
  execl("./made", "made", (char *)NULL);
  say(strerrorname_np(errno));
  return 0;
}
