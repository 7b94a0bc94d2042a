/*
 * store.c: layers on disk, in a directory that only root may enter: final ones by name, as trees here or as images in
 * images/, those being made in incoming/, those being deleted in trash/. Ids in it are canonical; a sandbox sees them
 * through an idmapped mount.
 * It never builds a path from a client's text: a name is one checked part, opened beneath the store's descriptor.
 * What must stay true: a final name appears at once and complete, synced before it is renamed.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int store = -1, images = -1, incoming = -1, trash = -1;
static unsigned long trash_count;

static int open_directory(int parent, const char *name) {
  if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return -1;
  return openat(parent, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static int throw_away(int directory, const char *name) {
  char place[64];
  if (directory != store) image_unmount(directory, name);
  for (;;) {
    snprintf(place, sizeof place, "%lu-%lu", (unsigned long)getpid(), trash_count++);
    if (renameat2(directory, name, trash, place, RENAME_NOREPLACE) == 0) break;
    if (errno != EEXIST) return -errno;
  }
  sweep_trash(place);
  return 0;
}

/* What a predecessor left half made or half deleted. */
static void sweep(int directory, bool is_trash) {
  int copy = openat(directory, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  DIR *entries = copy < 0 ? NULL : fdopendir(copy);
  for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (is_trash)
      sweep_trash(entry->d_name);
    else
      throw_away(directory, entry->d_name);
  }
  if (entries != NULL) closedir(entries);
}

/* Bound in our own mount namespace, so it is a layer like any other and nothing is copied. */
static void show_root_layer(void) {
  int layer = open_directory(store, "root");
  int tree = layer < 0 ? -errno : clone_tree(AT_FDCWD, options.root_layer);
  int error = tree < 0 ? -tree : attach_tree(tree, layer, "");
  close_descriptor(&layer);
  close_descriptor(&tree);
  if (error == 0) return;
  log_errno("root layer can't be shown", options.root_layer, error);
  refuse("--root-layer can't be used as a layer", "give it a directory that we may read");
}

void store_open(void) {
  store = open_directory(AT_FDCWD, options.store);
  struct stat state;
  if (store < 0 || fstat(store, &state) != 0 || state.st_uid != 0)
    refuse("the layer store can't be opened", rootless ? "give --store a directory on a local disk that is yours" : "give --store a directory on a local disk that root owns");
  if (fchmod(store, 0700) != 0) refuse("the layer store's mode can't be set", "give --store a directory that root owns, or without root your own");
  incoming = open_directory(store, "incoming");
  trash = open_directory(store, "trash");
  images = open_directory(store, "images");
  if (incoming < 0 || trash < 0 || images < 0) refuse("the layer store can't be written", "give --store a writable directory");
  if (options.root_layer != NULL) show_root_layer();
}

void store_sweep(void) {
  sweep(trash, true);
  sweep(incoming, false);
}

int store_trash(void) { return trash; }

static int tree_of(int directory, const char *name) {
  int layer = open_beneath(directory, name, O_PATH | O_DIRECTORY, 0, false);
  if (layer < 0) return -errno;
  int tree = clone_tree(layer, "");
  close(layer);
  return tree;
}

int store_layer_tree(const char *name) {
  int layer = open_beneath(images, name, O_PATH | O_DIRECTORY, 0, false);
  if (layer < 0) return errno == ENOENT ? tree_of(store, name) : -errno;
  int tree = image_tree(layer);
  close(layer);
  return tree;
}

int store_target_tree(const char *name) {
  int tree = tree_of(incoming, name);
  if (tree != -ENOENT) return tree;
  tree = tree_of(images, name); /* finished: to be looked at only */
  int error = tree < 0 ? 0 : set_mount(tree, MOUNT_ATTR_RDONLY, -1);
  if (error != 0) close(tree);
  return error != 0 ? -error : tree;
}

int store_create(const char *name) {
  if (mkdirat(incoming, name, 0755) != 0) return -errno;
  uint32_t root = rootless ? outside_id(0, 0) : 0; /* as the sandbox will see it */
  return fchownat(incoming, name, root, root, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

int store_publish(const char *name, const char *to, bool as_image) {
  int layer = open_beneath(incoming, name, O_RDONLY | O_DIRECTORY, 0, false);
  if (layer < 0) return -errno;
  int error = syncfs(layer) != 0 ? errno : 0;
  if (error == 0 && as_image && mkdirat(layer, "mount", 0755) != 0) error = errno;
  if (error == 0 && as_image) error = -image_mount(layer); /* what can't be mounted is no layer */
  close(layer);
  int place = as_image ? images : store;
  if (error == 0 && faccessat(as_image ? store : images, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) error = EEXIST;
  if (error == 0 && renameat2(incoming, name, place, to, RENAME_NOREPLACE) != 0) error = errno;
  if (error == 0 && fsync(place) != 0) error = errno;
  return -error;
}

int store_remove(const char *name) {
  stock_forget_layer(name);
  int result = throw_away(images, name);
  if (result == -ENOENT) result = throw_away(store, name);
  return result == -ENOENT ? throw_away(incoming, name) : result;
}

int store_discard(const char *name) { return throw_away(incoming, name); }

static uint32_t list(int directory, struct bytes *into) {
  uint32_t count = 0;
  int copy = openat(directory, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  DIR *entries = copy < 0 ? NULL : fdopendir(copy);
  for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
    uint32_t size = (uint32_t)strlen(entry->d_name);
    if (!layer_name_ok((struct slice){(const uint8_t *)entry->d_name, size})) continue;
    bytes_append(into, &size, sizeof size);
    bytes_append(into, entry->d_name, size);
    count++;
  }
  if (entries != NULL) closedir(entries);
  return count;
}

uint32_t store_list(struct bytes *into) { return list(store, into) + list(images, into); }
