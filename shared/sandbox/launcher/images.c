/*
 * images.c: layers that were not unpacked. Such a layer is a directory of images/ with the tar, an EROFS index of it, and the mount of
 * both: the index is the file system, the tar its second device, from which the kernel reads the files' bodies as they are.
 * It never looks into either file. What must stay true: one mount of a layer for all its sandboxes, read-only, in our own mount
 * namespace (so that it goes with us); an overlay that still lies upon a removed layer keeps it until its own end.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { EROFS_MAGIC = 0xe0f5e1e2, PROBE_BYTES = 512, PAGE_BYTES = 4096 };

static int open_file(int layer, const char *name, uint64_t flags) {
  int file = open_beneath(layer, name, O_RDONLY | O_NONBLOCK | flags, 0, false);
  struct stat state;
  if (file < 0) return -errno;
  if (fstat(file, &state) == 0 && S_ISREG(state.st_mode)) return file;
  close(file);
  return -EINVAL;
}

/* Bodies begin at any 512 bytes, which not every disk can read without its cache. With its cache they would be in memory twice. */
static bool can_read_directly(int layer) {
  int file = open_file(layer, "tar", O_DIRECT);
  void *memory = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
  bool can = file >= 0 && memory != NULL && pread(file, memory, PROBE_BYTES, PROBE_BYTES) == PROBE_BYTES;
  free(memory);
  close_descriptor(&file);
  return can;
}

/* A detached mount of the two files, or -errno. */
static int make_mount(int index, int tar, bool directly) {
  char text[64];
  int context = fsopen("erofs", FSOPEN_CLOEXEC), mounted = -1;
  if (context < 0) return -errno;
  snprintf(text, sizeof text, "/proc/self/fd/%d", index);
  int result = fsconfig(context, FSCONFIG_SET_STRING, "source", text, 0);
  snprintf(text, sizeof text, "/proc/self/fd/%d", tar);
  if (result == 0) result = fsconfig(context, FSCONFIG_SET_STRING, "device", text, 0);
  if (result == 0 && directly) result = fsconfig(context, FSCONFIG_SET_FLAG, "directio", NULL, 0);
  if (result == 0) result = fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0);
  if (result == 0) result = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
  if (result == 0) result = mounted = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  int error = errno;
  close(context);
  return result < 0 ? -error : mounted;
}

int image_mount(int layer) {
  int index = open_file(layer, "index", 0), tar = open_file(layer, "tar", 0);
  int mounted = index < 0 ? index : tar < 0 ? tar : make_mount(index, tar, can_read_directly(layer));
  int place = mounted < 0 ? -1 : open_beneath(layer, "mount", O_PATH | O_DIRECTORY, 0, false);
  int result = mounted < 0 ? mounted : place < 0 ? -errno : -attach_tree(mounted, place, "");
  if (index >= 0) close(index);
  if (tar >= 0) close(tar);
  close_descriptor(&place);
  if (mounted >= 0) close(mounted);
  return result;
}

/* The root of the mount, or -errno: -ENODEV when nothing is mounted there. */
static int mounted_root(int layer) {
  struct statfs system;
  int root = open_beneath(layer, "mount", O_PATH | O_DIRECTORY, 0, false);
  if (root < 0) return -errno;
  if (fstatfs(root, &system) == 0 && (uint32_t)system.f_type == (uint32_t)EROFS_MAGIC) return root;
  close(root);
  return -ENODEV;
}

int image_tree(int layer) {
  int root = mounted_root(layer);
  if (root == -ENODEV) { /* first use since our start */
    int result = image_mount(layer);
    root = result < 0 ? result : mounted_root(layer);
  }
  if (root < 0) return root;
  int tree = clone_tree(root, "");
  close(root);
  return tree;
}

void image_unmount(int directory, const char *name) {
  char text[64];
  int layer = open_beneath(directory, name, O_PATH | O_DIRECTORY, 0, false);
  int root = layer < 0 ? -1 : mounted_root(layer);
  snprintf(text, sizeof text, "/proc/self/fd/%d", root);
  if (root >= 0) umount2(text, MNT_DETACH);
  if (root >= 0) close(root);
  close_descriptor(&layer);
}
