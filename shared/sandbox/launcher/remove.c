/*
 * remove.c: deletes a tree that strangers filled: 100,000 levels deep, a million files, any name.
 * It never follows a link, never leaves the file system and never recurses: deep levels are moved up instead.
 * What must stay true: constant memory and two descriptors, whatever the tree looks like.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Empties one directory; what it holds of directories that are not empty moves to `top`, to be taken later. */
static bool empty_directory(int top, int directory, unsigned long *moved) {
  int copy = openat(directory, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  DIR *entries = copy < 0 ? NULL : fdopendir(copy);
  bool left = false;
  char place[64];
  for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (unlinkat(directory, entry->d_name, 0) == 0 || unlinkat(directory, entry->d_name, AT_REMOVEDIR) == 0) continue;
    do snprintf(place, sizeof place, ".%lu", (*moved)++);
    while (renameat2(directory, entry->d_name, top, place, RENAME_NOREPLACE) != 0 && errno == EEXIST);
    left = true;
  }
  if (entries != NULL) closedir(entries);
  return left;
}

bool remove_tree(int parent, const char *name) {
  unsigned long moved = 0;
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return true;
  int top = openat(parent, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (top < 0) return unlinkat(parent, name, 0) == 0 || errno == ENOENT;
  for (bool again = true; again;) {
    int copy = openat(top, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    again = false;
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      if (unlinkat(top, entry->d_name, 0) == 0 || unlinkat(top, entry->d_name, AT_REMOVEDIR) == 0) continue;
      int below = openat(top, entry->d_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
      if (below < 0) continue;
      empty_directory(top, below, &moved);
      close(below);
      if (unlinkat(top, entry->d_name, AT_REMOVEDIR) == 0) again = true;
    }
    if (entries != NULL) closedir(entries);
  }
  close(top);
  return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}
