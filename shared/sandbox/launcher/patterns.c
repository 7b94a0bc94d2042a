/*
 * patterns.c: which paths a client wants copied out. A pattern is compared part by part, as a shell does: * ? [a-z] [!a-z]
 * and \ within one part, never a slash, never a leading dot; a part that is ** stands for any number of directories.
 * It touches no file. What must stay true: the time for one name is bounded by its length times the patterns', whatever
 * was written in them; and a directory in which nothing can match is recognised before it is opened.
 */
#include "launcher.h"

#include <string.h>

static struct {
  struct slice parts[PATTERN_PARTS_MAX];
  unsigned count;
} patterns[PATTERNS_MAX]; /* the collector's; untouched in the launcher */
static size_t pattern_count;

static bool has_wildcard(struct slice part) {
  for (uint32_t i = 0; i < part.size; i++)
    if (strchr("*?[\\", part.data[i]) != NULL) return true;
  return false;
}

static bool is_any_depth(struct slice part) { return part.size == 2 && memcmp(part.data, "**", 2) == 0; }

static uint8_t class_byte(struct slice part, uint32_t *at) {
  if (part.data[*at] == '\\' && *at + 1 < part.size) ++*at;
  return part.data[(*at)++];
}

/* The class that begins at *at and whether it has this byte; false and *at unmoved: the bracket has no end. */
static bool match_class(struct slice part, uint32_t *at, uint8_t byte, bool *matches) {
  uint32_t i = *at + 1;
  bool found = false, inverted = i < part.size && (part.data[i] == '!' || part.data[i] == '^');
  if (inverted) i++;
  for (bool first = true; i < part.size && (first || part.data[i] != ']'); first = false) {
    uint8_t low = class_byte(part, &i), high = low;
    if (i + 1 < part.size && part.data[i] == '-' && part.data[i + 1] != ']') {
      i++;
      high = class_byte(part, &i);
    }
    if (byte >= low && byte <= high) found = true;
  }
  if (i >= part.size) return false;
  *at = i + 1;
  *matches = found != inverted;
  return true;
}

/* One element of the pattern that is not a star; moves behind it. */
static bool match_byte(struct slice part, uint32_t *at, uint8_t byte) {
  bool matches;
  if (part.data[*at] == '[' && match_class(part, at, byte, &matches)) return matches;
  if (part.data[*at] == '?') {
    ++*at;
    return true;
  }
  return class_byte(part, at) == byte;
}

/* Only the last star ever has to be taken back: what came before it matched as early as it could. */
static bool match_part(struct slice part, const char *name) {
  const uint8_t *text = (const uint8_t *)name;
  size_t size = strlen(name), from = 0, star_from = 0;
  uint32_t at = 0, star_at = UINT32_MAX;
  if (size > 0 && text[0] == '.' && part.size > 0 && strchr("*?[", part.data[0]) != NULL) return false;
  while (from < size) {
    if (at < part.size && part.data[at] == '*') {
      star_at = ++at;
      star_from = from;
    } else if (at < part.size && match_byte(part, &at, text[from])) {
      from++;
    } else if (star_at != UINT32_MAX) {
      at = star_at;
      from = ++star_from;
    } else {
      return false;
    }
  }
  while (at < part.size && part.data[at] == '*') at++;
  return at == part.size;
}

static uint64_t with_empty_depths(size_t pattern, uint64_t set) {
  for (unsigned i = 0; i < patterns[pattern].count; i++)
    if ((set >> i & 1) != 0 && is_any_depth(patterns[pattern].parts[i])) set |= UINT64_C(2) << i;
  return set;
}

static uint64_t step(size_t pattern, uint64_t set, const char *name) {
  uint64_t next = 0;
  for (unsigned i = 0; i < patterns[pattern].count; i++) {
    if ((set >> i & 1) == 0) continue;
    if (is_any_depth(patterns[pattern].parts[i])) {
      if (name[0] != '.') next |= UINT64_C(1) << i;
    } else if (match_part(patterns[pattern].parts[i], name)) {
      next |= UINT64_C(2) << i;
    }
  }
  return with_empty_depths(pattern, next);
}

bool patterns_ok(struct list list) {
  struct slice pattern;
  while (next_string(&list, &pattern)) {
    unsigned parts = 1;
    if (!relative_ok(pattern)) return false;
    for (uint32_t i = 0; i < pattern.size; i++) parts += pattern.data[i] == '/';
    if (parts > PATTERN_PARTS_MAX) return false;
  }
  return true;
}

void patterns_read(struct list list, struct wanted *start) {
  struct slice pattern;
  memset(start, 0, sizeof *start);
  for (pattern_count = 0; pattern_count < PATTERNS_MAX && next_string(&list, &pattern); pattern_count++) {
    unsigned count = 0;
    for (uint32_t at = 0; at < pattern.size && count < PATTERN_PARTS_MAX;) {
      const uint8_t *slash = memchr(pattern.data + at, '/', pattern.size - at);
      uint32_t end = slash == NULL ? pattern.size : (uint32_t)(slash - pattern.data);
      patterns[pattern_count].parts[count++] = (struct slice){pattern.data + at, end - at};
      at = end + 1;
    }
    patterns[pattern_count].count = count;
    start->parts[pattern_count] = with_empty_depths(pattern_count, 1);
  }
}

bool wanted_file(const struct wanted *here, const char *name) {
  for (size_t i = 0; i < pattern_count; i++)
    if (here->parts[i] != 0 && (step(i, here->parts[i], name) >> patterns[i].count & 1) != 0) return true;
  return false;
}

bool wanted_below(const struct wanted *here, const char *name, struct wanted *below) {
  bool any = false;
  for (size_t i = 0; i < pattern_count; i++) {
    uint64_t next = here->parts[i] == 0 ? 0 : step(i, here->parts[i], name);
    below->parts[i] = next & ~(UINT64_C(1) << patterns[i].count);
    any = any || below->parts[i] != 0;
  }
  return any;
}

static bool is_known(const struct slice *names, size_t count, struct slice name) {
  for (size_t i = 0; i < count; i++)
    if (names[i].size == name.size && memcmp(names[i].data, name.data, name.size) == 0) return true;
  return false;
}

size_t wanted_names(const struct wanted *here, struct slice names[PATTERNS_MAX], bool *all) {
  size_t count = 0;
  *all = true;
  for (size_t i = 0; i < pattern_count; i++) {
    for (unsigned part = 0; part < patterns[i].count; part++) {
      if ((here->parts[i] >> part & 1) == 0) continue;
      struct slice name = patterns[i].parts[part];
      if (has_wildcard(name)) *all = false;
      if (!has_wildcard(name) && count < PATTERNS_MAX && !is_known(names, count, name)) names[count++] = name;
    }
  }
  return count;
}
