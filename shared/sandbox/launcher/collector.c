/*
 * collector.c: the process that copies files out of what a program left: it walks the layers that this launch and the
 * launches before it wrote, merged as their program saw them, and writes frames of the contract to one pipe.
 * It never resolves a path: every step is one name below an open directory, no link followed, no mount crossed, only
 * regular files opened. It has an id that owns nothing, an empty root and the one capability to read what others may not.
 * What must stay true: its memory, descriptors and time are bounded whatever the tree looks like; what it could not look
 * at is said in the last frame; and without that frame the client knows that something is missing.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { COLLECTOR_USER = 0x7FFF000E }; /* an id that owns nothing and that no sandbox has */
enum { DEPTH_MAX = 256, ENTRIES_MAX = 1 << 20, LISTING_BYTES = 4096, ENTRIES_PER_LOOK = 256 };
#define WALK_CPU_NS (5 * NS_PER_S)
#define COPY_BYTES_PER_S (64 << 20) /* of a slow machine */

struct level { /* one directory: what each layer has of it, top first */
  int directories[LAYERS_MAX + 1];
  size_t count, listed; /* listed: layers that are through */
  struct wanted wanted;
  struct slice names[PATTERNS_MAX]; /* all that can match, when no pattern has a wildcard here: then nothing is listed */
  size_t name_count, next_name;
  bool named;
  size_t path_end;
  ssize_t filled, at;
  uint8_t listing[LISTING_BYTES];
};

struct entry { /* as the kernel gives it */
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

static struct level levels[DEPTH_MAX];
static char path[PATH_BYTES_MAX + 1];
static const struct collection *order;
static struct bytes out;
static int output;
static uint64_t bytes_left, copying_ns;
static uint32_t files;
static unsigned long entries;
static bool incomplete;

static void flush(void) {
  while (out.end > out.start) {
    ssize_t wrote = write(output, out.data + out.start, out.end - out.start);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) _exit(1); /* nobody listens */
    bytes_consume(&out, (size_t)wrote);
  }
}

static void tell(const struct message *message) {
  encode_message(message, &out);
  if (out.end - out.start >= OUTPUT_FRAME_BYTES_MAX) flush();
}

static _Noreturn void finish(uint8_t state) {
  tell(&(struct message){.number = MESSAGE_COLLECTED, .COLLECTED_path = {(const uint8_t *)path, 0}, .COLLECTED_state = state});
  flush();
  _exit(0);
}

static void tell_file(uint8_t state, const struct stat *found) {
  tell(&(struct message){.number = MESSAGE_COLLECTED,
                         .COLLECTED_path = {(const uint8_t *)path, (uint32_t)strlen(path)},
                         .COLLECTED_state = state,
                         .COLLECTED_executable = S_ISREG(found->st_mode) && (found->st_mode & 0111) != 0,
                         .COLLECTED_size = S_ISREG(found->st_mode) ? (uint64_t)found->st_size : 0});
}

static int open_one(int directory, const char *name, uint64_t flags) {
  struct open_how how = {.flags = flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
  return (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
}

/* Exactly what was announced: a file that became shorter has no honest end. */
static void copy_bytes(int file, uint64_t size) {
  static uint8_t buffer[OUTPUT_FRAME_BYTES_MAX];
  uint64_t began = process_cpu_ns();
  while (size > 0) {
    ssize_t got = read(file, buffer, size < sizeof buffer ? (size_t)size : sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) _exit(1);
    tell(&(struct message){.number = MESSAGE_COLLECTED_DATA, .COLLECTED_DATA_data = {buffer, (uint32_t)got}});
    size -= (uint64_t)got;
  }
  copying_ns += process_cpu_ns() - began;
}

static void copy_file(int directory, const char *name, const struct stat *seen) {
  struct stat found = *seen;
  if (files == order->files_max) finish(COLLECT_TOO_MANY);
  files++;
  int file = S_ISREG(seen->st_mode) ? open_one(directory, name, 0) : -1;
  if (!S_ISREG(seen->st_mode) || (file >= 0 && (fstat(file, &found) != 0 || !S_ISREG(found.st_mode)))) {
    tell_file(COLLECT_NOT_REGULAR, seen);
  } else if (file < 0) {
    tell_file(COLLECT_UNREADABLE, seen);
  } else if ((uint64_t)found.st_size > bytes_left) {
    tell_file(COLLECT_TOO_LARGE, &found);
  } else {
    bytes_left -= (uint64_t)found.st_size;
    tell_file(COLLECT_COPIED, &found);
    copy_bytes(file, (uint64_t)found.st_size);
  }
  close_descriptor(&file);
}

static bool is_opaque(int directory) {
  char value;
  return fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static void close_level(struct level *level) {
  for (size_t i = 0; i < level->count; i++) close(level->directories[i]);
  level->count = 0;
}

/* What the layers have under this name, down to the first that hides the rest: by a whiteout, a file, an opaque mark. */
static void open_merged(const struct level *parent, const char *name, struct level *into) {
  struct stat found;
  into->count = 0;
  for (size_t i = 0; i < parent->count; i++) {
    if (fstatat(parent->directories[i], name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISDIR(found.st_mode)) return;
    int directory = open_one(parent->directories[i], name, O_DIRECTORY);
    if (directory < 0) {
      incomplete = true;
      return;
    }
    into->directories[into->count++] = directory;
    if (is_opaque(directory)) return;
  }
}

static void prepare_level(struct level *level, size_t path_end) {
  level->listed = level->next_name = 0;
  level->filled = level->at = 0;
  level->path_end = path_end;
  level->name_count = wanted_names(&level->wanted, level->names, &level->named);
}

static bool extend_path(const struct level *level, const char *name) {
  size_t length = strlen(name), slash = level->path_end > 0;
  if (level->path_end + slash + length > PATH_BYTES_MAX) return false;
  if (slash) path[level->path_end] = '/';
  memcpy(path + level->path_end + slash, name, length + 1);
  return true;
}

static bool is_hidden(const struct level *level, size_t layer, const char *name) {
  struct stat found;
  for (size_t i = 0; i < layer; i++)
    if (fstatat(level->directories[i], name, &found, AT_SYMLINK_NOFOLLOW) == 0) return true;
  return false;
}

/* One name as its topmost layer has it. Returns whether the next level is to be walked now. */
static bool visit(size_t depth, size_t layer, const char *name, uint8_t type) {
  struct level *level = &levels[depth], *below = &levels[depth + 1 < DEPTH_MAX ? depth + 1 : depth];
  struct stat found;
  struct wanted wanted;
  if (type != DT_DIR && type != DT_UNKNOWN && !wanted_file(&level->wanted, name)) return false;
  if (type == DT_DIR && !wanted_below(&level->wanted, name, &wanted)) return false;
  if (is_hidden(level, layer, name) || fstatat(level->directories[layer], name, &found, AT_SYMLINK_NOFOLLOW) != 0) return false;
  bool fits = extend_path(level, name);
  if (S_ISCHR(found.st_mode) && found.st_rdev == 0) return false; /* a whiteout: there is no such file */
  if (!S_ISDIR(found.st_mode)) {
    if (!wanted_file(&level->wanted, name)) return false;
    if (fits) copy_file(level->directories[layer], name, &found);
    if (!fits) incomplete = true;
    return false;
  }
  if (!wanted_below(&level->wanted, name, &wanted)) return false;
  if (!fits || below == level) {
    incomplete = true;
    return false;
  }
  open_merged(level, name, below);
  below->wanted = wanted;
  if (below->count > 0) prepare_level(below, strlen(path));
  return below->count > 0;
}

static const struct entry *next_entry(struct level *level) {
  while (level->listed < level->count) {
    if (level->at >= level->filled) {
      level->at = 0;
      level->filled = syscall(SYS_getdents64, level->directories[level->listed], level->listing, sizeof level->listing);
      if (level->filled < 0) incomplete = true;
    }
    if (level->filled <= 0) {
      level->listed++;
      level->filled = level->at = 0;
      continue;
    }
    const struct entry *entry = (const struct entry *)(const void *)(level->listing + level->at);
    level->at += entry->size;
    if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) return entry;
  }
  return NULL;
}

static void count_entry(void) {
  entries++;
  if (entries % ENTRIES_PER_LOOK != 0) return;
  if (entries > ENTRIES_MAX || process_cpu_ns() - copying_ns > WALK_CPU_NS) finish(COLLECT_TOO_MANY);
}

/* The next thing of this level. Returns false when it is through; *down: the level below is to be walked first. */
static bool advance(size_t depth, bool *down) {
  struct level *level = &levels[depth];
  char name[256];
  *down = false;
  count_entry();
  if (!level->named) {
    const struct entry *entry = next_entry(level);
    if (entry != NULL) *down = visit(depth, level->listed, entry->name, entry->type);
    return entry != NULL;
  }
  if (level->next_name == level->name_count) return false;
  struct slice wanted = level->names[level->next_name++];
  struct stat found;
  memcpy(name, wanted.data, wanted.size);
  name[wanted.size] = '\0';
  for (size_t layer = 0; layer < level->count; layer++) {
    if (fstatat(level->directories[layer], name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    *down = visit(depth, layer, name, DT_UNKNOWN);
    break;
  }
  return true;
}

static void walk(void) {
  bool down;
  for (size_t depth = 0;;) {
    if (advance(depth, &down)) {
      if (down) depth++;
      continue;
    }
    close_level(&levels[depth]);
    if (depth-- == 0) return;
  }
}

/* The launch's directory, part by part, since a layer above may hide what a lower one has of it. */
static void enter_directory(void) {
  static struct level other;
  struct level *here = &levels[0];
  memcpy(here->directories, order->layers, order->layer_count * sizeof order->layers[0]);
  here->count = order->layer_count;
  for (char *part = strtok(order->directory, "/"); part != NULL; part = strtok(NULL, "/")) {
    open_merged(here, part, &other);
    close_level(here);
    memcpy(here->directories, other.directories, other.count * sizeof other.directories[0]);
    here->count = other.count;
  }
  for (size_t i = 0; i < here->count; i++) { /* the layers' own directories were opened as places only */
    int listable = open_one(here->directories[i], ".", O_DIRECTORY);
    if (listable < 0) _exit(1);
    close(here->directories[i]);
    here->directories[i] = listable;
  }
}

static int by_number(const void *one, const void *other) { return *(const int *)one - *(const int *)other; }

/* Nothing of another launch, client or store: a copy of a client's socket would keep its connection open. */
static void close_others(void) {
  int kept[LAYERS_MAX + 3] = {STDERR_FILENO, output};
  size_t count = 2;
  for (size_t i = 0; i < order->layer_count; i++) kept[count++] = order->layers[i];
  qsort(kept, count, sizeof kept[0], by_number);
  for (size_t i = 1; i < count; i++)
    if (kept[i] > kept[i - 1] + 1) close_range((unsigned)kept[i - 1] + 1, (unsigned)kept[i] - 1, 0);
  close_range((unsigned)kept[count - 1] + 1, ~0U, 0);
}

static bool bound(int resource, uint64_t most) { return setrlimit(resource, &(struct rlimit){most, most}) == 0; }

static bool confine(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct read_all[2] = {{.effective = 1U << CAP_DAC_READ_SEARCH, .permitted = 1U << CAP_DAC_READ_SEARCH}, {0}};
  struct setup filter = {.profile = PROFILE_EXECUTION};
  uint64_t seconds = 2 * WALK_CPU_NS / NS_PER_S + order->bytes_max / COPY_BYTES_PER_S;
  uint32_t user = rootless ? owner_id(0) : COLLECTOR_USER;
  bool ok = chdir(stage_directory) == 0 && chroot("shell") == 0 && chdir("/") == 0;
  ok = ok && bound(RLIMIT_CPU, seconds) && bound(RLIMIT_CORE, 0) && bound(RLIMIT_FSIZE, 0) && bound(RLIMIT_NPROC, 0);
  ok = ok && prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) == 0 && (setgroups(0, NULL) == 0 || one_id());
  ok = ok && setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0;
  ok = ok && syscall(SYS_capset, &header, read_all) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  return ok && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && install_filter(&filter) == 0;
}

void collector_main(const struct collection *collection, int pipe) {
  order = collection;
  output = pipe;
  bytes_left = collection->bytes_max;
  prctl(PR_SET_NAME, "envicutor-copy");
  close_others();
  if (!confine()) {
    log_errno("files can't be copied out", "privileges", errno);
    _exit(1);
  }
  patterns_read(collection->patterns, &levels[0].wanted);
  enter_directory();
  prepare_level(&levels[0], 0);
  walk();
  finish(incomplete ? COLLECT_TOO_MANY : COLLECT_COPIED);
}
