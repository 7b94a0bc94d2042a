/*
 * mounts.c: a sandbox's file tree. prepare_stage makes ahead of time what no launch changes (own /proc, /dev, the tmpfs
 * that everything writable lives in) in a private copy of the template; the rest needs the launch. It never resolves a path outside the stage: layers come as detached mounts. What must stay true: on disk and in the
 * tmpfs ids are canonical (0..65535), and only mounts idmapped by the sandbox's own user namespace show them.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>


int clone_tree(int directory, const char *path) {
  int tree = open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | (path[0] == '\0' ? AT_EMPTY_PATH : 0));
  return tree < 0 ? -errno : tree;
}

/* user_namespace >= 0: ids are mapped by it. Only a mount that is not attached yet can be changed so. 0 or an errno. */
int set_mount(int tree, uint64_t attributes, int user_namespace) {
  struct mount_attr change = {.attr_set = attributes};
  if (user_namespace >= 0) {
    change.attr_set |= MOUNT_ATTR_IDMAP;
    change.userns_fd = (uint64_t)user_namespace;
  }
  return mount_setattr(tree, "", AT_EMPTY_PATH, &change, sizeof change) == 0 ? 0 : errno;
}

int attach_tree(int tree, int directory, const char *path) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (path[0] == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0);
  return move_mount(tree, "", directory, path, flags) == 0 ? 0 : errno;
}

/* A changed copy of `from` appears at `to`. 0 or an errno. */
int bind_tree(const char *from, int directory, const char *to, uint64_t attributes, int user_namespace) {
  int tree = clone_tree(AT_FDCWD, from);
  if (tree < 0) return -tree;
  int error = set_mount(tree, attributes, user_namespace);
  if (error == 0) error = attach_tree(tree, directory, to);
  close(tree);
  return error;
}

static int make_device(const char *path, unsigned minor) {
  if (!devices_bound && mknod(path, S_IFCHR | 0666, makedev(1, minor)) == 0) return 0;
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* the host's is bound upon it */
  if (file < 0 || !devices_bound) return errno;
  close(file);
  return 0;
}

/* Nodes of its own for every sandbox: a lock on a shared /dev/null would be a channel between two runs. */
static int make_devices(const struct setup *setup) {
  static const struct { const char *path; unsigned minor; } devices[] = {
      {"raw/dev/null", 3}, {"raw/dev/zero", 5}, {"raw/dev/full", 7}, {"raw/dev/random", 8}, {"raw/dev/urandom", 9}};
  static const char *const links[][2] = {{"/proc/self/fd", "raw/dev/fd"}, {"/proc/self/fd/0", "raw/dev/stdin"},
                                         {"/proc/self/fd/1", "raw/dev/stdout"}, {"/proc/self/fd/2", "raw/dev/stderr"}};
  int error = mkdir("raw/dev/shm", 01777) != 0 ? errno : 0;
  for (size_t i = 0; i < sizeof devices / sizeof devices[0] && error == 0; i++) error = make_device(devices[i].path, devices[i].minor);
  for (size_t i = 0; i < sizeof links / sizeof links[0] && error == 0; i++)
    if (symlink(links[i][0], links[i][1]) != 0) error = errno;
  if (error == 0) error = bind_tree("raw/dev", AT_FDCWD, "dev", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, idmap_of_memory(setup));
  if (error == 0 && devices_bound) error = bind_devices("raw/dev");
  if (error == 0 && devices_bound) error = bind_devices("dev");
  return error != 0 ? error : bind_tree("space/shm", AT_FDCWD, "dev/shm", MOUNT_ATTR_NOEXEC, -1);
}

/* One tmpfs for everything of this sandbox. "raw" shows canonical ids (for us), "space" the sandbox's. */
static int make_space(struct setup *setup) {
  static const struct { const char *path; mode_t mode; } directories[] = {
      {"raw/upper", 0755}, {"raw/work", 0755}, {"raw/system", 0755}, {"raw/empty", 0555}, {"raw/dev", 0755}, {"raw/tmp", 01777}, {"raw/shm", 01777}};
  char text[64];
  snprintf(text, sizeof text, "mode=0755,size=%d,nr_inodes=%d", SPACE_OWN_BYTES, SPACE_OWN_INODES);
  if (mount("envicutor", "raw", "tmpfs", MS_NOSUID, text) != 0) return errno;
  for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
    if (mkdir(directories[i].path, directories[i].mode) != 0) return errno;
  int error = bind_tree("raw", AT_FDCWD, "space", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, idmap_of_memory(setup));
  if (error == 0) error = make_devices(setup);
  if (error != 0) return error;
  setup->space = clone_tree(AT_FDCWD, "raw");
  return setup->space < 0 ? -setup->space : 0;
}

/* We are in our private copy of the template (template.c) already. */
int prepare_stage(struct setup *setup) {
  umask(0);
  int error = make_space(setup);
  if (error == 0) error = make_proc();
  umask(022);
  return error;
}

static int attach_layer(struct setup *setup, size_t index) {
  char path[32];
  snprintf(path, sizeof path, "/layers/%zu", index);
  int user_namespace = index + setup->word.kept < setup->word.layers ? idmap_of_disk(setup) : idmap_of_memory(setup);
  int error = set_mount(setup->descriptors[index], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, user_namespace);
  return error != 0 ? error : attach_tree(setup->descriptors[index], AT_FDCWD, path);
}

/* Attached, since kernels before 6.15 take a lower layer only from the mount namespace that mounts the overlay. */
int attach_layers(struct setup *setup) {
  if (setup->descriptor_count < setup->word.layers) return EPROTO;
  for (size_t i = 0; i < setup->word.layers; i++) {
    int error = attach_layer(setup, i);
    if (error != 0) return error;
  }
  return 0;
}

/* The overlay works with the rights of who mounts it: our capabilities, but the id that is root inside, so that what it
 * makes (whiteouts, copied-up directories) has ids that the idmapped upper layer can hold. */
int mount_root(struct setup *setup) {
  char text[1024];
  if (act_as(setup, 0) != 0) return EPERM;
  if (profile_has_host_view(setup->profile)) return mount_workspace(setup);
  int at = snprintf(text, sizeof text, "userxattr,redirect_dir=nofollow,metacopy=off,index=off,xino=off,upperdir=/space/upper,workdir=/space/work,lowerdir=");
  for (size_t i = setup->word.layers; i-- > 0;) at += snprintf(text + at, sizeof text - (size_t)at, "/layers/%zu%s", i, i == 0 ? "" : ":");
  return mount("overlay", "/root", "overlay", MS_NOSUID | MS_NODEV, text) == 0 ? 0 : errno;
}

/* A directory or file inside the root to mount upon; links are followed inside the root only; made if missing. */
static int open_mount_point(int root, const char *path, bool directory) {
  int point = open_beneath(root, path, O_PATH | (directory ? O_DIRECTORY : 0), 0, true);
  if (point >= 0 || errno != ENOENT) return point < 0 ? -errno : point;
  if (directory && mkdirat(root, path, 0755) != 0) return -errno;
  if (directory) return open_mount_point(root, path, true);
  point = open_beneath(root, path, O_WRONLY | O_CREAT, 0644, true);
  if (point < 0) return -errno;
  close(point);
  point = open_beneath(root, path, O_PATH, 0, true);
  return point < 0 ? -errno : point;
}

static int place(int tree, int root, const char *path, bool directory) {
  int point = open_mount_point(root, path, directory);
  if (point < 0) return -point;
  int error = attach_tree(tree, point, "");
  close(point);
  return error;
}

static int place_copy(const char *from, int root, const char *path, bool directory, uint64_t attributes) {
  int tree = clone_tree(AT_FDCWD, from);
  if (tree < 0) return -tree;
  int error = set_mount(tree, attributes, -1);
  if (error == 0) error = place(tree, root, path, directory);
  close(tree);
  return error;
}

static int move_prepared(const char *from, int root, const char *path) {
  int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLOEXEC);
  if (tree < 0) return errno;
  int error = place(tree, root, path, true);
  close(tree);
  return error;
}

static int place_target(struct setup *setup, int root) {
  size_t index = setup->word.layers;
  if (setup->word.target == 0 && setup->word.capture == 0) return 0;
  if (setup->descriptor_count <= index) return EPROTO;
  uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (setup->word.capture != 0) attributes |= MOUNT_ATTR_RDONLY;
  int user_namespace = setup->word.capture != 0 ? idmap_of_memory(setup) : idmap_of_disk(setup);
  int error = set_mount(setup->descriptors[index], attributes, user_namespace);
  return error != 0 ? error : place(setup->descriptors[index], root, "target", true);
}

int place_mounts(struct setup *setup) {
  static const char *const bound[][2] = {{"/space/system/resolv.conf", "etc/resolv.conf"}, {"/space/system/hosts", "etc/hosts"}};
  int root = open("/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return errno;
  int error = move_prepared("/proc", root, "proc");
  if (error == 0) error = move_prepared("/dev", root, "dev");
  if (error == 0) error = place_copy("/space/tmp", root, "tmp", true, 0);
  if (error == 0 && mkdirat(root, "run", 0755) != 0 && errno != EEXIST) error = errno;
  if (error == 0) error = place_copy("/space/system", root, "run/envicutor", true, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  for (size_t i = 0; i < 2 && error == 0; i++) {
    if (faccessat(AT_FDCWD, bound[i][0], F_OK, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (mkdirat(root, "etc", 0755) != 0 && errno != EEXIST) error = errno;
    if (error == 0) error = place_copy(bound[i][0], root, bound[i][1], false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  }
  if (error == 0) error = place_target(setup, root);
  close(root);
  return error;
}

/* The kernel moves every process whose root the old one was: the waiting payload comes along. */
int enter_root(struct setup *setup) {
  (void)setup;
  act_as_ourselves();
  return chdir("/root") == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 ? 0 : errno;
}

int act_as(const struct setup *setup, uint32_t id) {
  uint32_t outside = outside_id(setup->base, id);
  setfsgid(outside);
  setfsuid(outside);
  return (uint32_t)setfsuid((uid_t)-1) == outside ? 0 : EPERM;
}

void act_as_ourselves(void) {
  setfsuid(0);
  setfsgid(0);
}
