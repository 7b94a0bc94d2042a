/*
 * Stops its terminal's output, fills it, ignores every signal of a terminal and lets the one who listens wait.
 */
#include "../attack.h"
#include <termios.h>

int main(void) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_IGN);
  say("stopping");
  tcdrain(1);
  tcflow(1, TCOOFF);
  for (;;)
    if (write(1, "x", 1) < 0) return 1;
}
