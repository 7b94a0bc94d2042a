/*
 * collect.c: the launcher's side of copying files out: what a launch asked for, and one short-lived process that reads
 * what its program left (collector.c), whose frames are the launch's stream 4.
 * It never opens anything that a program named: only the directories in which its writable layers begin.
 * What must stay true: it begins after the last process of the sandbox is dead, and the report waits for its end.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 18 };

/* The frame is gone by the time that this is needed, and a kept layer may be released while the program runs. */
int collect_prepare(struct launch *launch) {
  const struct message *m = &launch->message;
  struct list kept = m->LAUNCH_kept;
  uint64_t number;
  if (m->LAUNCH_collect.count == 0) return 0;
  struct collection *collection = calloc(1, sizeof *collection);
  uint8_t *patterns = malloc(m->LAUNCH_collect.size);
  if (collection == NULL || patterns == NULL) abort();
  memcpy(patterns, m->LAUNCH_collect.data, m->LAUNCH_collect.size);
  *collection = (struct collection){.launch = launch, .patterns = {patterns, m->LAUNCH_collect.size, m->LAUNCH_collect.count},
                                    .directory = slice_text(m->LAUNCH_directory), .bytes_max = m->LAUNCH_collectBytesMax,
                                    .files_max = m->LAUNCH_collectFilesMax, .layers = {-1}, .layer_count = 1 + (size_t)kept.count};
  launch->collection = collection;
  for (size_t i = kept.count; i > 0; i--) collection->layers[i] = -1;
  for (size_t i = kept.count; i > 0 && next_number(&kept, &number); i--) {
    const struct kept *layer = launch->client == NULL ? NULL : find_kept(launch->client, number);
    collection->layers[i] = layer == NULL ? -ENOENT : kept_directory(layer);
    if (collection->layers[i] < 0) return collection->layers[i];
  }
  return 0;
}

/* /tmp and /dev/shm are directories beside the writable layer, and nothing is below them. */
static int open_own(struct collection *collection, int space) {
  static const char *const apart[][2] = {{"/tmp", "tmp"}, {"/dev/shm", "shm"}};
  const char *name = "upper";
  for (size_t i = 0; i < 2; i++) {
    size_t length = strlen(apart[i][0]);
    if (strncmp(collection->directory, apart[i][0], length) != 0 || strchr("/", collection->directory[length]) == NULL) continue;
    name = apart[i][1];
    memmove(collection->directory, collection->directory + length, strlen(collection->directory + length) + 1);
    for (size_t layer = 1; layer < collection->layer_count; layer++) close_descriptor(&collection->layers[layer]);
    collection->layer_count = 1;
  }
  collection->layers[0] = openat(space, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return collection->layers[0] < 0 ? errno : 0;
}

static void collector_ended(struct child *child, int status) {
  struct collection *collection = (struct collection *)child;
  collection->alive = false;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) log_line(LOG_LEVEL_WARN, "copying files out did not come to its end", NULL, NULL);
  launch_progress(collection->launch);
}

void collect_start(struct launch *launch) {
  struct collection *collection = launch->collection;
  int pair[2] = {-1, -1};
  if (collection == NULL || collection->alive || !launch->started || launch->client == NULL || launch->shell->space < 0) return;
  int error = open_own(collection, launch->shell->space);
  if (error == 0 && pipe2(pair, O_CLOEXEC) != 0) error = errno;
  pid_t pid = error == 0 ? clone_process(0, -1, NULL) : -1;
  if (pid == 0) collector_main(collection, pair[1]);
  if (pid < 0) {
    log_errno("files can't be copied out", "clone", error != 0 ? error : errno);
    close_descriptor(&pair[0]);
    close_descriptor(&pair[1]);
    return; /* no frame says that it is complete: so the client knows */
  }
  collection->alive = true;
  watch_child(&collection->child, pid, collector_ended);
  close(pair[1]);
  fcntl(pair[0], F_SETPIPE_SZ, PIPE_BYTES);
  fcntl(pair[0], F_SETFL, O_NONBLOCK);
  stream_open(launch, STREAMS - 1, pair[0]);
}

bool collect_over(const struct launch *launch) { return launch->collection == NULL || !launch->collection->alive; }

void collect_stop(const struct launch *launch) {
  if (!collect_over(launch)) kill(launch->collection->child.pid, SIGKILL);
}

void collect_free(struct launch *launch) {
  struct collection *collection = launch->collection;
  if (collection == NULL) return;
  for (size_t i = 0; i < collection->layer_count; i++) close_descriptor(&collection->layers[i]);
  free((void *)(uintptr_t)collection->patterns.data);
  free(collection->directory);
  free_later(collection);
  launch->collection = NULL;
}
