/*
 * bytes.c: growable byte queues, for frames being read and frames waiting for a slow client.
 * It never shrinks in place: an emptied queue starts again at its beginning, a large one gives its memory back.
 * What must stay true: start <= end <= capacity; without memory the process ends, since a half-kept frame is worse.
 */
#include "launcher.h"

#include <stdlib.h>
#include <string.h>

enum { RETAINED_BYTES_MAX = 1 << 18 };

uint8_t *bytes_reserve(struct bytes *bytes, size_t more) {
  if (bytes->data != NULL && bytes->capacity - bytes->end >= more) return bytes->data + bytes->end;
  size_t live = bytes->end - bytes->start;
  if (bytes->data != NULL && bytes->start > 0 && bytes->capacity - live >= more && live <= bytes->capacity / 2) {
    memmove(bytes->data, bytes->data + bytes->start, live);
  } else {
    size_t capacity = bytes->capacity < 4096 ? 4096 : bytes->capacity;
    while (capacity - live < more) capacity *= 2;
    uint8_t *data = malloc(capacity);
    if (data == NULL) abort();
    if (live > 0) memcpy(data, bytes->data + bytes->start, live);
    free(bytes->data);
    bytes->data = data;
    bytes->capacity = capacity;
  }
  bytes->start = 0;
  bytes->end = live;
  return bytes->data + bytes->end;
}

void bytes_append(struct bytes *bytes, const void *data, size_t size) {
  if (size == 0) return;
  memcpy(bytes_reserve(bytes, size), data, size);
  bytes->end += size;
}

void bytes_consume(struct bytes *bytes, size_t size) {
  bytes->start += size;
  if (bytes->start < bytes->end) return;
  bytes->start = bytes->end = 0;
  if (bytes->capacity > RETAINED_BYTES_MAX) bytes_free(bytes);
}

void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  memset(bytes, 0, sizeof *bytes);
}

char *slice_text(struct slice slice) {
  char *text = malloc((size_t)slice.size + 1);
  if (text == NULL) abort();
  if (slice.size > 0) memcpy(text, slice.data, slice.size);
  text[slice.size] = '\0';
  return text;
}
