/*
 * patterns.c: any patterns against any path, walked as the collector does, level by level, and held against the plain
 * meaning of a pattern: part against part by fnmatch(3), a part ** for any number of directories.
 * It never opens a file. What must stay true: what the meaning wants is found on the walk and nothing else; where nothing
 * is listed because no pattern has a wildcard, the names alone are enough. Classes are only walked: fnmatch knows more of them.
 */
#include "fuzz.h"

#include <fnmatch.h>

enum { DEPTH = 6, TEXT_MAX = 48, COUNT_MAX = 8 };

static const char letters[] = "abab.*?**[]!^-\\/a//";

static uint32_t take_text(struct input *input, char *into, const char *banned) {
  uint32_t size = take_u8(input) % TEXT_MAX, kept = 0;
  for (uint32_t i = 0; i < size; i++) {
    uint8_t code = take_u8(input);
    char letter = code < 240 ? letters[code % (sizeof letters - 1)] : (char)code;
    if (strchr(banned, letter) == NULL) into[kept++] = letter;
  }
  into[kept] = '\0';
  return kept;
}

static bool means(char **parts, size_t count, char names[DEPTH][TEXT_MAX + 1], size_t depth) {
  bool reached[DEPTH + 1] = {true}; /* after so many names, by the parts so far */
  for (size_t part = 0; part < count; part++) {
    bool next[DEPTH + 1] = {false};
    bool any = strcmp(parts[part], "**") == 0;
    for (size_t at = 0; at <= depth; at++) {
      if (any) next[at] = next[at] || reached[at] || (at > 0 && next[at - 1] && names[at - 1][0] != '.');
      else if (at > 0 && reached[at - 1]) next[at] = fnmatch(parts[part], names[at - 1], FNM_PERIOD) == 0;
    }
    memcpy(reached, next, sizeof next);
  }
  return reached[depth];
}

static bool pattern_means(const char *pattern, char names[DEPTH][TEXT_MAX + 1], size_t depth) {
  char *parts[TEXT_MAX], copy[TEXT_MAX + 1], *rest = copy;
  size_t count = 0;
  strcpy(copy, pattern);
  while (rest != NULL) parts[count++] = strsep(&rest, "/");
  return means(parts, count, names, depth);
}

/* As the collector goes: wanted below each directory, then the file. */
static bool walk(const struct wanted *start, char names[DEPTH][TEXT_MAX + 1], size_t depth) {
  struct wanted here = *start, below;
  struct slice found[PATTERNS_MAX];
  for (size_t at = 0; at < depth; at++) {
    bool all, last = at + 1 == depth, goes = last ? wanted_file(&here, names[at]) : wanted_below(&here, names[at], &below);
    size_t count = wanted_names(&here, found, &all);
    bool named = false;
    for (size_t i = 0; i < count; i++) named = named || (found[i].size == strlen(names[at]) && memcmp(found[i].data, names[at], found[i].size) == 0);
    insist(!all || !goes || named);
    if (!goes) return false;
    if (!last) here = below;
  }
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, data + size};
  char patterns[COUNT_MAX][TEXT_MAX + 1], names[DEPTH][TEXT_MAX + 1];
  size_t count = take_u8(&input) % COUNT_MAX, depth = 1 + take_u8(&input) % DEPTH;
  struct bytes encoded = {0};
  bool plain = true, meant = false;
  for (size_t i = 0; i < count; i++) {
    uint32_t length = take_text(&input, patterns[i], "");
    const char *escape = strrchr(patterns[i], '\\');
    plain = plain && strpbrk(patterns[i], "[]") == NULL && (escape == NULL || (escape[1] != '\0' && escape[1] != '/' && escape[1] != '\\'));
    bytes_append(&encoded, &length, sizeof length);
    bytes_append(&encoded, patterns[i], length);
  }
  for (size_t i = 0; i < depth; i++)
    if (take_text(&input, names[i], "/") == 0) strcpy(names[i], "a");
  struct list list = {encoded.data, (uint32_t)(encoded.end - encoded.start), (uint32_t)count};
  struct wanted start;
  if (patterns_ok(list)) {
    patterns_read(list, &start);
    bool found = walk(&start, names, depth);
    for (size_t i = 0; i < count; i++) meant = meant || pattern_means(patterns[i], names, depth);
    insist(!plain || found == meant);
  }
  bytes_free(&encoded);
  return 0;
}
