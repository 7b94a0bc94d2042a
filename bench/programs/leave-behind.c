/*
 * leave-behind.c: leaves a great many files or a very deep tree in its working directory and ends.
 * Usage: leave-behind files COUNT | leave-behind deep DEPTH; it goes down by chdir, so that no path is ever long.
 * It never removes anything: that is the sandbox's matter.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PER_FOLDER = 1000 };

static int leave_files(long count) {
  char name[32];
  for (long file = 0; file < count; file++) {
    if (file % PER_FOLDER == 0) {
      if (file > 0 && chdir("..") != 0) return 1;
      snprintf(name, sizeof name, "folder-%ld", file / PER_FOLDER);
      if (mkdir(name, 0700) != 0 || chdir(name) != 0) return 1;
    }
    snprintf(name, sizeof name, "%ld", file);
    int made = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600);
    if (made < 0) return 1;
    close(made);
  }
  return 0;
}

static int leave_deep(long depth) {
  for (long level = 0; level < depth; level++)
    if (mkdir("d", 0700) != 0 || chdir("d") != 0) return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  int failed = strcmp(argv[1], "files") == 0 ? leave_files(atol(argv[2])) : leave_deep(atol(argv[2]));
  if (failed != 0) perror(argv[1]);
  return failed;
}
