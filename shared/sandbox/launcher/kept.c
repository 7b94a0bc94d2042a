/*
 * kept.c: writable layers that outlive their launch, so that what a compile made is a layer of each run, uncopied.
 * It never changes one: a kept layer is attached in our own mount namespace and shown to launches as read-only copies of
 * its upper directory. What must stay true: it belongs to one connection and goes with it.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t next_serial = 1;
static uint32_t count;

static void path_of(uint64_t serial, const char *below, char into[96]) {
  snprintf(into, 96, "%s/kept/%llu%s", stage_directory, (unsigned long long)serial, below);
}

uint32_t kept_count(void) { return count; }

struct kept *find_kept(const struct client *client, uint64_t launch) {
  struct kept *kept = client->kept;
  while (kept != NULL && kept->launch != launch) kept = kept->next;
  return kept;
}

int keep_layer(struct client *client, uint64_t launch, int space) {
  char path[96];
  struct kept *kept = malloc(sizeof *kept);
  if (kept == NULL) return -ENOMEM;
  *kept = (struct kept){.launch = launch, .serial = next_serial++, .next = client->kept};
  path_of(kept->serial, "", path);
  int error = mkdir(path, 0700) != 0 ? errno : attach_tree(space, AT_FDCWD, path);
  if (error != 0) {
    log_errno("writable layer can't be kept", "move_mount", error);
    free(kept);
    return -error;
  }
  close(space);
  client->kept = kept;
  count++;
  return 0;
}

int kept_tree(uint64_t serial) {
  char path[96];
  path_of(serial, "/upper", path);
  return clone_tree(AT_FDCWD, path);
}

int kept_directory(const struct kept *kept) {
  char path[96];
  path_of(kept->serial, "/upper", path);
  int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return directory < 0 ? -errno : directory;
}

void kept_unmount(uint64_t serial) {
  char path[96];
  path_of(serial, "", path);
  umount2(path, MNT_DETACH);
  rmdir(path);
}

void release_kept(struct client *client, uint64_t launch) {
  for (struct kept **link = &client->kept; *link != NULL;) {
    struct kept *kept = *link;
    if (launch != 0 && kept->launch != launch) {
      link = &kept->next;
      continue;
    }
    *link = kept->next;
    stock_forget_kept(kept->serial);
    sweep_kept(kept->serial);
    free(kept);
    count--;
  }
}
