/*
 * hostview.c: the root of BOOTSTRAP, HOST and COMMAND sandboxes: a tmpfs with read-only pieces of the host's tree in it.
 * It never shows /root, /home, /run, /var, /etc/shadow or any other file that is not in the tables below.
 * What must stay true: every piece is bound without what is mounted beneath it, read-only, nosuid, nodev.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A stranger's program (COMMAND) sees what running needs; our own tools see also what they set up systems with. */
enum viewer { TOOLS = 1, STRANGERS = 2, ALL = TOOLS | STRANGERS };

/* Looked up in the order of struct setup's host_trees. */
static const struct { const char *path; bool directory; enum viewer viewer; } shown[] = {
    {"usr", true, ALL}, {"etc/alternatives", true, ALL}, {"etc/ld.so.conf.d", true, ALL}, {"etc/ssl", true, TOOLS}, {"etc/ca-certificates", true, TOOLS},
    {"etc/apt/trusted.gpg.d", true, TOOLS}, {"etc/dpkg", true, TOOLS}, {"etc/perl", true, ALL}, {"etc/ld.so.cache", false, ALL},
    {"etc/ld.so.conf", false, ALL}, {"etc/ca-certificates.conf", false, TOOLS}, {"etc/debian_version", false, ALL}, {"etc/os-release", false, ALL},
    {"etc/mke2fs.conf", false, TOOLS}, {"bin", true, ALL}, {"sbin", true, ALL}, {"lib", true, ALL}, {"lib32", true, ALL}, {"lib64", true, ALL},
    {"libx32", true, ALL}};
enum { SHOWN = sizeof shown / sizeof shown[0] };
_Static_assert(SHOWN <= 32, "struct setup has room for 32 trees");

static const struct { const char *path, *content; enum viewer viewer; } written[] = {
    {"etc/passwd", "root:x:0:0:root:/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n"
                   "program:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", ALL},
    {"etc/group", "root:x:0:\nprogram:x:1000:\nnogroup:x:65534:\n", ALL},
    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", ALL},
    {"etc/hosts", "127.0.0.1 localhost envicutor\n", ALL},
    {"etc/resolv.conf", "", TOOLS},
    {"var/lib/dpkg/status", "", TOOLS}};

static char links[SHOWN][64]; /* /bin and its like are links on merged-usr hosts: shown as links again */

bool profile_has_host_view(uint8_t profile) { return profile == PROFILE_BOOTSTRAP || profile == PROFILE_HOST || profile == PROFILE_COMMAND; }

static enum viewer viewer_of(const struct setup *setup) { return setup->profile == PROFILE_COMMAND ? STRANGERS : TOOLS; }

/* An ordinary user can't have a directory without what root mounted below it: then with it, and all of it as read-only. */
static int whole_tree(const char *path) {
  struct mount_attr change = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
  int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change) != 0) close_descriptor(&tree);
  return tree;
}

int prepare_host_view(struct setup *setup) {
  char path[64];
  for (size_t i = 0; i < SHOWN; i++) setup->host_trees[i] = -1;
  if (!profile_has_host_view(setup->profile)) return 0;
  for (size_t i = 0; i < SHOWN; i++) {
    if ((shown[i].viewer & viewer_of(setup)) == 0) continue;
    snprintf(path, sizeof path, "/%s", shown[i].path);
    ssize_t length = readlink(path, links[i], sizeof links[i] - 1);
    links[i][length < 0 ? 0 : length] = '\0';
    if (length >= 0 && strchr(shown[i].path, '/') == NULL) continue;
    /* A link below /etc is resolved here, on the host, to the file that it stands for. */
    links[i][0] = '\0';
    setup->host_trees[i] = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (setup->host_trees[i] < 0 && rootless) setup->host_trees[i] = whole_tree(path);
  }
  return setup->host_trees[0] < 0 ? ENOENT : 0;
}

static int make_directories(const struct setup *setup) {
  static const struct { const char *path; enum viewer viewer; } directories[] = {
      {"etc", ALL}, {"etc/apt", TOOLS}, {"etc/apt/apt.conf.d", TOOLS}, {"etc/apt/preferences.d", TOOLS}, {"etc/apt/sources.list.d", TOOLS},
      {"var", ALL}, {"var/lib", TOOLS}, {"var/lib/dpkg", TOOLS}, {"var/lib/apt", TOOLS}, {"var/lib/apt/lists", TOOLS}, {"var/cache", TOOLS},
      {"var/cache/apt", TOOLS}, {"var/log", TOOLS}, {"run", ALL}, {"root", TOOLS}, {"environment", STRANGERS}};
  char path[64];
  for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
    if ((directories[i].viewer & viewer_of(setup)) == 0) continue;
    snprintf(path, sizeof path, "/root/%s", directories[i].path);
    if (mkdir(path, 0755) != 0 && errno != EEXIST) return errno;
  }
  return symlink("/tmp", "/root/var/tmp") == 0 ? 0 : errno;
}

static int make_mount_point(const char *path, bool directory) {
  if (directory) return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : errno;
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return errno;
  close(file);
  return 0;
}

static int show(struct setup *setup, size_t i) {
  char path[96];
  if ((shown[i].viewer & viewer_of(setup)) == 0) return 0;
  snprintf(path, sizeof path, "/root/%s", shown[i].path);
  if (links[i][0] != '\0') return symlink(links[i], path) == 0 ? 0 : errno;
  if (setup->host_trees[i] < 0) return 0;
  uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  /* Not every host file system can be idmapped; then the host's files belong to nobody inside, and are as readable. To a
   * stranger they always do: its user has the number of a person of this host, and is not to read what is that person's. */
  int error = setup->profile == PROFILE_COMMAND ? EPERM : set_mount(setup->host_trees[i], attributes, setup->user_namespace);
  if (error != 0) error = set_mount(setup->host_trees[i], attributes, -1);
  if (error == 0) error = make_mount_point(path, shown[i].directory);
  if (error == 0) error = attach_tree(setup->host_trees[i], AT_FDCWD, path);
  close_descriptor(&setup->host_trees[i]);
  return error;
}

static int write_files_of_our_own(const struct setup *setup) {
  char path[96];
  for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
    if ((written[i].viewer & viewer_of(setup)) == 0) continue;
    snprintf(path, sizeof path, "/root/%s", written[i].path);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) return errno;
    ssize_t size = (ssize_t)strlen(written[i].content);
    ssize_t wrote = write(file, written[i].content, (size_t)size);
    close(file);
    if (wrote != size) return EIO;
  }
  return 0;
}

int build_host_view(struct setup *setup) {
  if (!profile_has_host_view(setup->profile)) return 0;
  int tree = clone_tree(AT_FDCWD, "/space/upper");
  if (tree < 0) return -tree;
  int error = attach_tree(tree, AT_FDCWD, "/root");
  close(tree);
  if (error == 0 && act_as(setup, 0) != 0) error = EPERM;
  if (error == 0) error = make_directories(setup);
  for (size_t i = 0; i < SHOWN && error == 0; i++) error = show(setup, i);
  if (error == 0) error = write_files_of_our_own(setup);
  act_as_ourselves();
  return error;
}
