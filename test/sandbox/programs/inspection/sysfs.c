/*
 * Looks for /sys, debugfs and the firmware.
 */
#include "../attack.h"

#include <dirent.h>

int main(void) {
  DIR *all = opendir("/sys");
  int found = 0;
  for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) found += entry->d_name[0] != '.';
  printf("%d\n", found);
  return 0;
}
