/*
 * missing.c: what this host or user can't have, by name, told to every client in its WELCOME.
 * It never holds a sentence: shared/sandbox/launcher-facts.ts turns each name into one, with its remedy.
 * What must stay true: a limit is never in this list. One that can't be enforced is refused, at the start or by its launch.
 */
#include "launcher.h"

#include <string.h>

static struct bytes names;
static uint32_t count;

void missing(const char *name) {
  uint32_t size = (uint32_t)strlen(name);
  bytes_append(&names, &size, sizeof size);
  bytes_append(&names, name, size);
  count++;
}

struct list missing_names(void) { return (struct list){names.data + names.start, (uint32_t)(names.end - names.start), count}; }
