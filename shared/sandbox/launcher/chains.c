/*
 * chains.c: what launches lie upon: a chain is the text of its layers' names and kept layers' serials ("#" before), lowest
 * first, a line each. It remembers the latest ones, so that the stock can mount ahead of time what is asked for again.
 * It never foresees anything but strangers' programs on pipes. What must stay true: two launches with one chain lie upon the same trees:
 * a layer's content never changes under its name, a serial is never used twice.
 */
#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REMEMBERED = 16, OFTEN = 2 };
static char *remembered[REMEMBERED];
static size_t next_place;

char *chain_of(const struct launch *launch) {
  struct list layers = launch->message.LAUNCH_layers, kept = launch->message.LAUNCH_kept;
  struct slice name;
  uint64_t number;
  size_t size = (size_t)layers.count * 100 + (size_t)kept.count * 24 + 1, at = 0;
  char *chain = calloc(1, size);
  if (chain == NULL) abort();
  while (next_string(&layers, &name)) at += (size_t)snprintf(chain + at, size - at, "%.*s\n", (int)name.size, (const char *)name.data);
  while (next_number(&kept, &number)) {
    const struct kept *layer = find_kept(launch->client, number);
    if (layer != NULL) {
      at += (size_t)snprintf(chain + at, size - at, "#%llu\n", (unsigned long long)layer->serial);
      continue;
    }
    free(chain);
    return NULL;
  }
  return chain;
}

int chain_trees(const char *chain, int *trees, size_t *count) {
  char name[128];
  for (const char *line = chain; *line != '\0'; line = strchr(line, '\n') + 1) {
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "\n"), line);
    int tree = *line == '#' ? kept_tree(strtoull(line + 1, NULL, 10)) : store_layer_tree(name);
    if (tree < 0) return tree;
    trees[(*count)++] = tree;
  }
  return 0;
}

bool chain_holds(const char *chain, const char *line) {
  size_t length = strlen(line);
  for (; *chain != '\0'; chain = strchr(chain, '\n') + 1)
    if (strncmp(chain, line, length) == 0 && chain[length] == '\n') return true;
  return false;
}

/* Whoever needs more than the layers below it can't be served by mounts made without looking at it. */
bool chain_foreseeable(const struct launch *launch) {
  const struct message *m = &launch->message;
  struct list files = m->LAUNCH_systemFiles;
  struct file_entry entry;
  if (!runs_program(m->LAUNCH_profile) || m->LAUNCH_terminal != 0) return false;
  if (m->LAUNCH_profile == PROFILE_COMMAND && m->LAUNCH_kept.count > 0) return false; /* mounted at its directory */
  while (next_file(&files, &entry))
    if ((entry.path.size == 5 && memcmp(entry.path.data, "hosts", 5) == 0) ||
        (entry.path.size == 11 && memcmp(entry.path.data, "resolv.conf", 11) == 0))
      return false;
  return true;
}

static void drop(size_t place) {
  free(remembered[place]);
  remembered[place] = NULL;
}

void chain_remember(const char *chain) {
  drop(next_place);
  remembered[next_place] = strdup(chain);
  next_place = (next_place + 1) % REMEMBERED;
}

unsigned chain_demand(const char *chain) {
  unsigned found = 0;
  for (size_t i = 0; i < REMEMBERED; i++) found += remembered[i] != NULL && strcmp(remembered[i], chain) == 0;
  return found;
}

void chain_forget(const char *line) {
  for (size_t i = 0; i < REMEMBERED; i++)
    if (remembered[i] != NULL && chain_holds(remembered[i], line)) drop(i);
}

void chain_forget_all(const char *chain) {
  for (size_t i = 0; i < REMEMBERED; i++)
    if (remembered[i] != NULL && strcmp(remembered[i], chain) == 0) drop(i);
}

void chain_forget_everything(void) {
  for (size_t i = 0; i < REMEMBERED; i++) drop(i);
}

const char *chain_most_wanted(unsigned (*stocked)(const char *chain)) {
  const char *best = NULL;
  unsigned best_demand = 0, best_stocked = 0;
  for (size_t i = 0; i < REMEMBERED; i++) {
    if (remembered[i] == NULL) continue;
    unsigned demand = chain_demand(remembered[i]), there = stocked(remembered[i]);
    if (demand < OFTEN || (best != NULL && demand * (best_stocked + 1) <= best_demand * (there + 1))) continue;
    best = remembered[i];
    best_demand = demand;
    best_stocked = there;
  }
  return best;
}
