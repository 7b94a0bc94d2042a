/*
 * files.c: writes a launch's files: the program's below its directory (the payload does, so that the bytes are charged to
 * the sandbox's own memory), ours below /run/envicutor (the launcher does, before the order).
 * It never follows a link and never leaves the directory: every path goes through openat2 beneath a descriptor.
 * What must stay true: whoever writes has the file system ids that shall own the file.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes what is missing of the directories in path (all of it, or all but the last part) and opens the last one. */
static int open_directories(int start, char *path, bool all) {
  int directory = openat(start, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (char *part = path; directory >= 0 && *part != '\0';) {
    while (*part == '/') part++;
    char *end = part + strcspn(part, "/");
    if (*part == '\0' || (*end == '\0' && !all)) break;
    char separator = *end;
    *end = '\0';
    int next = mkdirat(directory, part, 0755) == 0 || errno == EEXIST ? open_beneath(directory, part, O_PATH | O_DIRECTORY, 0, false) : -1;
    int error = errno;
    *end = separator;
    close(directory);
    directory = next;
    errno = error;
    part = end;
  }
  return directory < 0 ? -errno : directory;
}

static int write_all(int file, struct slice content) {
  size_t done = 0;
  while (done < content.size) {
    ssize_t wrote = write(file, content.data + done, content.size - done);
    if (wrote < 0) return errno;
    done += (size_t)wrote;
  }
  return 0;
}

static int write_file(int start, const struct file_entry *entry) {
  char *path = slice_text(entry->path);
  const char *slash = strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  mode_t mode = entry->executable ? 0755 : 0644;
  int directory = open_directories(start, path, false);
  int error = directory < 0 ? -directory : 0;
  if (error == 0) {
    /* A file of a lower layer is replaced, not written through: it may be a link, a pipe or somebody else's. */
    int file = open_beneath(directory, name, O_WRONLY | O_CREAT | O_EXCL, mode, false);
    if (file < 0 && errno == EEXIST && unlinkat(directory, name, 0) == 0)
      file = open_beneath(directory, name, O_WRONLY | O_CREAT | O_EXCL, mode, false);
    error = file < 0 ? errno : write_all(file, entry->content);
    if (file >= 0) close(file);
    close(directory);
  }
  free(path);
  return error;
}

int open_directory_of_launch(const char *root, char *directory) {
  int start = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (start < 0) return -errno;
  int result = open_directories(start, directory, true);
  close(start);
  return result;
}

int write_files(struct setup *setup) {
  struct list files = setup->launch.LAUNCH_files;
  struct file_entry entry;
  int directory = open_directory_of_launch("/", setup->directory);
  int error = directory < 0 ? -directory : 0;
  while (error == 0 && next_file(&files, &entry)) error = write_file(directory, &entry);
  if (directory >= 0) close(directory);
  return error;
}

int write_system_files(int space, struct list files) {
  struct file_entry entry;
  if (files.count == 0) return 0;
  int directory = open_beneath(space, "system", O_PATH | O_DIRECTORY, 0, false);
  if (directory < 0) return errno;
  mode_t mask = umask(022);
  int error = 0;
  while (error == 0 && next_file(&files, &entry)) error = write_file(directory, &entry);
  umask(mask);
  close(directory);
  return error;
}
