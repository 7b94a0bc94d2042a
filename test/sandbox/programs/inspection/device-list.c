/*
 * Lists /dev.
 */
#include "../attack.h"

#include <dirent.h>

int main(void) {
  struct dirent **names;
  int found = scandir("/dev", &names, NULL, alphasort);
  for (int i = 2; i < found; i++) say(names[i]->d_name);
  return 0;
}
