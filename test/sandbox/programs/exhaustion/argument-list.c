/*
 * Executes itself with more arguments than the kernel takes.
 */
#include "../attack.h"

int main(void) {
  char **many = calloc(3000001, sizeof *many), *none[] = {NULL};
  for (int i = 0; i < 3000000; i++) many[i] = "x";
  execve("/attack", many, none);
  say(strerrorname_np(errno));
  return 0;
}
