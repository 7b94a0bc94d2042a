/*
 * witness.c: was it really the file size limit? The kernel's SIGXFSZ looks exactly like one that a program sends to
 * itself, but whoever writes up to the limit leaves a file of exactly that size. A child looks for it, after every death.
 * It never runs in the launcher's own loop, never opens a file and never follows a link. What must stay true: no proof
 * in time, or within the first entries, is no proof, and the launch then simply ended by its signal.
 */
#include "launcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOUND = 0, NOT_FOUND = 1, ENTRIES_MAX = 200000, DEPTH_MAX = 64, SECONDS_MAX = 1 };

static bool has_file_of(int parent, const char *name, uint64_t size, unsigned depth, unsigned *entries) {
  int descriptor = openat(parent, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  DIR *directory = descriptor < 0 ? NULL : fdopendir(descriptor);
  bool found = false;
  for (struct dirent *entry; directory != NULL && !found && *entries < ENTRIES_MAX && (entry = readdir(directory)) != NULL;) {
    struct stat state;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    (*entries)++;
    if (entry->d_type == DT_DIR && depth < DEPTH_MAX) found = has_file_of(descriptor, entry->d_name, size, depth + 1, entries);
    if (entry->d_type != DT_REG || fstatat(descriptor, entry->d_name, &state, AT_SYMLINK_NOFOLLOW) != 0) continue;
    found = (uint64_t)state.st_size == size;
  }
  if (directory != NULL) closedir(directory);
  return found;
}

static _Noreturn void look(int space, uint64_t size) {
  static const char *const places[] = {"upper", "tmp", "shm"};
  unsigned entries = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(SECONDS_MAX);
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (has_file_of(space, places[i], size, 0, &entries)) _exit(FOUND);
  _exit(NOT_FOUND);
}

static void witness_ended(struct child *child, int status) {
  struct launch *launch = (struct launch *)((char *)child - offsetof(struct launch, witness));
  launch->witness_alive = false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == FOUND) {
    launch->exceeded = LIMIT_FILE_SIZE;
    launch->observed = launch->message.LAUNCH_fileSizeBytes;
  }
  launch_progress(launch);
}

/* The program is dead and its files are still there. The report waits for the answer. */
void witness_file_size(struct launch *launch) {
  bool asked = WIFSIGNALED(launch->status) && WTERMSIG(launch->status) == SIGXFSZ && launch->exceeded == LIMIT_NONE && launch->end == 0;
  if (!asked || !launch->started || launch->client == NULL || launch->shell->space < 0) return;
  pid_t pid = clone_process(0, -1, NULL);
  if (pid == 0) look(launch->shell->space, launch->message.LAUNCH_fileSizeBytes);
  if (pid < 0) return;
  launch->witness_alive = true;
  watch_child(&launch->witness, pid, witness_ended);
}
