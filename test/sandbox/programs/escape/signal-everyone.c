/*
 * Kills every process that it can see: only its own.
 */
#include "../attack.h"

int main(void) {
  if (fork() == 0) for (;;) pause();
  TRY("everyone", kill(-1, SIGKILL));
  int status = 0;
  wait(&status);
  say(WIFSIGNALED(status) ? "the child" : "nobody");
  TRY("again", kill(-1, SIGKILL));
  return 0;
}
