/*
 * Leaves links, pipes and sockets where files are expected.
 */
#include "../attack.h"

int main(void) {
  TRY("link", symlink("/etc/shadow", "out.txt"));
  TRY("loop", symlink("loop", "loop"));
  TRY("pipe", mkfifo("pipe", 0600));
  TRY("device", symlink("/dev/zero", "endless"));
  TRY("directory", mkdir("closed", 0));
  TRY("hard", (close(open("f", O_CREAT, 0600)), link("f", "g")));
  return 0;
}
