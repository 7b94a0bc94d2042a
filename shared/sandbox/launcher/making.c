/*
 * making.c: which layers are being made by which connection, so that one that nobody will finish does not stay.
 * It never touches a finished layer, nor one whose commit is under way: that one's end decides.
 * What must stay true: a layer in incoming/ belongs to one living connection or to a commit, and goes with it.
 */
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct making {
  struct making *next;
  char name[]; /* terminated */
};

void making_add(struct client *client, const char *name) {
  size_t size = strlen(name) + 1;
  struct making *making = malloc(sizeof *making + size);
  if (making == NULL) abort();
  making->next = client->making;
  memcpy(making->name, name, size);
  client->making = making;
}

void making_forget(struct client *client, const char *name) {
  for (struct making **link = &client->making; *link != NULL; link = &(*link)->next) {
    struct making *making = *link;
    if (strcmp(making->name, name) != 0) continue;
    *link = making->next;
    free(making);
    return;
  }
}

void discard_layer(const char *name) {
  int result = store_discard(name);
  if (result != 0 && result != -ENOENT) log_errno("half a layer can't be thrown away", name, -result);
}

void making_orphan(struct client *client) {
  while (client->making != NULL) {
    struct making *making = client->making;
    client->making = making->next;
    discard_layer(making->name);
    free(making);
  }
}
