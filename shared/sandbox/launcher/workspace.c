/*
 * workspace.c: COMMAND only: compile once, run many on the host view: an overlay at the launch's directory, whose lower
 * layers are the same directory of the kept layers. Nothing else of a kept layer shows: the program could write nowhere
 * else that outlives it. It never follows a link of a program's making.
 * What must stay true: the paths that go into mount options are ours, or were checked by validate.c, in a fresh tmpfs.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

/* The kept layer's directory takes the place of the layer. */
static int narrow(size_t index, const char *directory) {
  char path[32];
  snprintf(path, sizeof path, "/layers/%zu", index);
  int layer = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (layer < 0) return errno;
  int inside = open_beneath(layer, directory + 1, O_PATH | O_DIRECTORY, 0, false);
  int tree = inside < 0 ? -errno : clone_tree(inside, "");
  int error = tree < 0 ? -tree : attach_tree(tree, AT_FDCWD, path);
  close_descriptor(&tree);
  close_descriptor(&inside);
  close(layer);
  return error;
}

static int mount_overlay(const struct setup *setup, size_t count) {
  enum { OPTIONS_MAX = 4096 }; /* one page is all that mount(2) takes */
  char text[OPTIONS_MAX], root[OPTIONS_MAX];
  int at = snprintf(text, sizeof text, "userxattr,redirect_dir=nofollow,metacopy=off,index=off,xino=off,"
                    "workdir=/space/work,upperdir=/space/upper%s,lowerdir=", setup->word.directory);
  for (size_t i = count; i-- > 0 && at < OPTIONS_MAX;)
    at += snprintf(text + at, sizeof text - (size_t)at, "/layers/%zu%s", i, i == 0 ? "" : ":");
  if (at >= OPTIONS_MAX) return ENAMETOOLONG;
  snprintf(root, sizeof root, "/root%s", setup->word.directory);
  return mount("overlay", root, "overlay", MS_NOSUID | MS_NODEV, text) == 0 ? 0 : errno;
}

int mount_workspace(struct setup *setup) {
  size_t count = setup->word.layers;
  if (setup->profile != PROFILE_COMMAND || count == 0) return 0;
  if (act_as(setup, program_user(setup->profile)) != 0) return EPERM;
  int directory = open_directory_of_launch("/root", setup->word.directory);
  if (directory < 0) return -directory;
  close(directory);
  int error = act_as(setup, 0);
  for (size_t i = 0; i < count && error == 0; i++) error = narrow(i, setup->word.directory);
  return error != 0 ? error : mount_overlay(setup, count);
}
