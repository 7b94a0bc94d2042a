/*
 * Lists processes: only its own family is there.
 */
#include "../attack.h"

#include <dirent.h>

int main(void) {
  DIR *all = opendir("/proc");
  for (struct dirent *entry; (entry = readdir(all)) != NULL;)
    if (atoi(entry->d_name) > 0) printf("%s\n", atoi(entry->d_name) == getpid() ? "me" : entry->d_name);
  return 0;
}
