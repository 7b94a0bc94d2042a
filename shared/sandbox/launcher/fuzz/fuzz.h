/*
 * fuzz.h: what every fuzz target has: its one entry, a way to say what must hold, and a cursor over the input.
 * It never decides by chance: the same bytes always do the same. What must stay true: a target is linked with the
 * launcher's own objects, sanitized, so that a wrong byte read is as visible as a broken promise.
 */
#ifndef ENVICUTOR_FUZZ_H
#define ENVICUTOR_FUZZ_H

#include "../launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define insist(condition)                                                                  \
  do {                                                                                     \
    if (condition) break;                                                                  \
    fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
    abort();                                                                               \
  } while (0)

struct input { /* an exhausted one gives zeros */
  const uint8_t *at, *end;
};

static inline size_t take_bytes(struct input *input, void *into, size_t size) {
  size_t left = (size_t)(input->end - input->at), taken = size < left ? size : left;
  if (size > 0) memset(into, 0, size);
  if (taken > 0) memcpy(into, input->at, taken);
  input->at += taken;
  return taken;
}

static inline uint8_t take_u8(struct input *input) {
  uint8_t value;
  take_bytes(input, &value, sizeof value);
  return value;
}

/* Small numbers, those next to a power of two, and any other. */
static inline uint64_t take_u64(struct input *input) {
  uint8_t form = take_u8(input);
  uint64_t value;
  if (form < 128) return form;
  if (form < 192) return (UINT64_C(1) << (form - 128)) + (take_u8(input) % 3) - 1;
  take_bytes(input, &value, sizeof value);
  return value;
}

#endif
