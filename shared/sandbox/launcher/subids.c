/*
 * subids.c: gives a new user namespace the ids that /etc/subuid and /etc/subgid grant to its user, through newuidmap and
 * newgidmap (Debian's package uidmap), since only they may. Called before anything else, in a process outside that namespace.
 * It never maps a part: either all IDS_WANTED of both kinds, or none. What must stay true: nothing here runs as root of ours.
 */
#include "launcher.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDS_WANTED = BUILD_IDS, IDS_ENOUGH = BUILD_IDS - 1, EXTENTS_MAX = 32 };

struct extent {
  unsigned long first, count;
};

static void name_of_user(char *into, size_t size) {
  FILE *file = fopen("/etc/passwd", "re"); /* read by ourselves: a static program has no name services */
  into[0] = '\0';
  for (struct passwd *entry; file != NULL && (entry = fgetpwent(file)) != NULL;) {
    if (entry->pw_uid != getuid()) continue;
    snprintf(into, size, "%s", entry->pw_name);
    break;
  }
  if (file != NULL) fclose(file);
}

/* Lines "user:first:count", the user by name or number. Returns how many ids the extents hold together. */
static unsigned long read_extents(const char *path, const char *name, struct extent *extents, size_t *count) {
  char line[512], owner[256], number[32];
  unsigned long total = 0;
  FILE *file = fopen(path, "re");
  snprintf(number, sizeof number, "%u", (unsigned)getuid());
  *count = 0;
  while (file != NULL && total < IDS_WANTED && *count < EXTENTS_MAX && fgets(line, sizeof line, file) != NULL) {
    struct extent *extent = &extents[*count];
    if (sscanf(line, "%255[^:]:%lu:%lu", owner, &extent->first, &extent->count) != 3 || extent->count == 0) continue;
    if (strcmp(owner, number) != 0 && (name[0] == '\0' || strcmp(owner, name) != 0)) continue;
    if (extent->count > IDS_WANTED - total) extent->count = IDS_WANTED - total;
    total += extent->count;
    (*count)++;
  }
  if (file != NULL) fclose(file);
  return total;
}

static bool run(const char *program, char *const *arguments) {
  static const char *const folders[] = {"/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin"};
  int status = -1;
  pid_t pid = fork();
  if (pid == 0) {
    char path[64];
    char *const environment[] = {NULL};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
      snprintf(path, sizeof path, "%s/%s", folders[i], program);
      execve(path, arguments, environment);
    }
    _exit(127);
  }
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool map(const char *program, pid_t pid, unsigned own, const struct extent *extents, size_t count) {
  static char texts[3 * EXTENTS_MAX][16];
  char *arguments[3 * EXTENTS_MAX + 6] = {NULL}, process[16], ours[16], name[16], zero[] = "0", one[] = "1";
  unsigned long next = 1;
  snprintf(process, sizeof process, "%d", (int)pid);
  snprintf(ours, sizeof ours, "%u", own);
  snprintf(name, sizeof name, "%s", program);
  char *const head[] = {name, process, zero, ours, one};
  memcpy(arguments, head, sizeof head);
  for (size_t i = 0; i < count; i++) {
    const unsigned long words[] = {next, extents[i].first, extents[i].count};
    for (size_t word = 0; word < 3; word++) {
      snprintf(texts[3 * i + word], sizeof texts[0], "%lu", words[word]);
      arguments[5 + 3 * i + word] = texts[3 * i + word];
    }
    next += extents[i].count;
  }
  return run(program, arguments);
}

bool map_subordinate_ids(pid_t pid) {
  struct extent users[EXTENTS_MAX], groups[EXTENTS_MAX];
  size_t user_count, group_count;
  char name[256];
  name_of_user(name, sizeof name);
  if (read_extents("/etc/subuid", name, users, &user_count) < IDS_ENOUGH) return false;
  if (read_extents("/etc/subgid", name, groups, &group_count) < IDS_ENOUGH) return false;
  return map("newgidmap", pid, (unsigned)getgid(), groups, group_count) && map("newuidmap", pid, (unsigned)getuid(), users, user_count);
}
