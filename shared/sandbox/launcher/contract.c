/*
 * contract.c: turns frames into struct message and back, driven by contract.def alone.
 * It never allocates for a frame that it reads: strings and lists stay slices of the frame, valid as long as it is.
 * What must stay true: no byte outside [frame, frame + size) is read, whatever the sender wrote; trailing bytes are an error.
 */
#include "launcher.h"

#include <stdlib.h>
#include <string.h>

enum field_type { TYPE_U8, TYPE_U32, TYPE_U64, TYPE_I32, TYPE_STR, TYPE_BYTES, TYPE_STRS, TYPE_U64S, TYPE_FILES };

struct field {
  uint8_t message;
  uint8_t type;
  uint16_t offset;
};

#define CONTRACT_VERSION(number)
#define MESSAGE(name, number, direction)
#define FIELD(owner, type, name) {MESSAGE_##owner, TYPE_##type, offsetof(struct message, owner##_##name)},
#define NAME(table, name, number)
#define NUMBER(name, number)
static const struct field fields[] = {
#include "contract.def"
};
#undef CONTRACT_VERSION
#undef MESSAGE
#undef FIELD
#undef NAME
#undef NUMBER

#define MESSAGE(name, number, direction) [number] = 1,
#define CONTRACT_VERSION(number)
#define FIELD(message, type, name)
#define NAME(table, name, number)
#define NUMBER(name, number)
static const uint8_t known[256] = {
#include "contract.def"
};
#undef CONTRACT_VERSION
#undef MESSAGE
#undef FIELD
#undef NAME
#undef NUMBER

/* All integers are little endian on the wire, and so are the machines that we build for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are copied as they are");

struct cursor {
  const uint8_t *at, *end;
};

static bool take(struct cursor *cursor, void *into, size_t size) {
  if ((size_t)(cursor->end - cursor->at) < size) return false;
  memcpy(into, cursor->at, size);
  cursor->at += size;
  return true;
}

static bool take_slice(struct cursor *cursor, struct slice *into) {
  uint32_t size;
  if (!take(cursor, &size, sizeof size) || (size_t)(cursor->end - cursor->at) < size) return false;
  into->data = cursor->at;
  into->size = size;
  cursor->at += size;
  return true;
}

static bool take_item(struct cursor *cursor, uint8_t type) {
  struct slice slice;
  uint64_t number;
  uint8_t mode;
  if (type == TYPE_U64S) return take(cursor, &number, sizeof number);
  if (type == TYPE_STRS) return take_slice(cursor, &slice);
  return take_slice(cursor, &slice) && take(cursor, &mode, 1) && mode <= 1 && take_slice(cursor, &slice);
}

static bool take_list(struct cursor *cursor, uint8_t type, struct list *into) {
  if (!take(cursor, &into->count, sizeof into->count)) return false;
  into->data = cursor->at;
  for (uint32_t i = 0; i < into->count; i++)
    if (!take_item(cursor, type)) return false;
  into->size = (uint32_t)(cursor->at - into->data);
  return true;
}

static bool take_field(struct cursor *cursor, uint8_t type, void *into) {
  switch (type) {
    case TYPE_U8: return take(cursor, into, 1);
    case TYPE_U32:
    case TYPE_I32: return take(cursor, into, 4);
    case TYPE_U64: return take(cursor, into, 8);
    case TYPE_STR:
    case TYPE_BYTES: return take_slice(cursor, into);
    default: return take_list(cursor, type, into);
  }
}

bool decode_message(const uint8_t *frame, size_t size, struct message *into) {
  struct cursor cursor = {frame, frame + size};
  if (!take(&cursor, &into->number, 1) || !known[into->number]) return false;
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (fields[i].message != into->number) continue;
    if (!take_field(&cursor, fields[i].type, (uint8_t *)into + fields[i].offset)) return false;
  }
  return cursor.at == cursor.end;
}

static void put_field(struct bytes *into, uint8_t type, const void *from) {
  const struct slice *slice = from;
  const struct list *list = from;
  switch (type) {
    case TYPE_U8: bytes_append(into, from, 1); break;
    case TYPE_U32:
    case TYPE_I32: bytes_append(into, from, 4); break;
    case TYPE_U64: bytes_append(into, from, 8); break;
    case TYPE_STR:
    case TYPE_BYTES:
      bytes_append(into, &slice->size, 4);
      bytes_append(into, slice->data, slice->size);
      break;
    default:
      bytes_append(into, &list->count, 4);
      bytes_append(into, list->data, list->size);
  }
}

void encode_message(const struct message *message, struct bytes *into) {
  size_t before = into->end - into->start;
  uint32_t size = 0;
  bytes_append(into, &size, sizeof size);
  bytes_append(into, &message->number, 1);
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    if (fields[i].message == message->number)
      put_field(into, fields[i].type, (const uint8_t *)message + fields[i].offset);
  size = (uint32_t)(into->end - into->start - before - sizeof size);
  memcpy(into->data + into->start + before, &size, sizeof size);
}

static bool next_item(struct list *list, struct cursor *cursor) {
  if (list->count == 0) return false;
  list->count--;
  cursor->at = list->data;
  cursor->end = list->data + list->size;
  return true;
}

static void advance(struct list *list, const struct cursor *cursor) {
  list->size = (uint32_t)(cursor->end - cursor->at);
  list->data = cursor->at;
}

bool next_string(struct list *cursor, struct slice *into) {
  struct cursor bytes;
  if (!next_item(cursor, &bytes) || !take_slice(&bytes, into)) return false;
  advance(cursor, &bytes);
  return true;
}

bool next_number(struct list *cursor, uint64_t *into) {
  struct cursor bytes;
  if (!next_item(cursor, &bytes) || !take(&bytes, into, sizeof *into)) return false;
  advance(cursor, &bytes);
  return true;
}

bool next_file(struct list *cursor, struct file_entry *into) {
  struct cursor bytes;
  uint8_t mode = 0;
  if (!next_item(cursor, &bytes)) return false;
  if (!take_slice(&bytes, &into->path) || !take(&bytes, &mode, 1) || !take_slice(&bytes, &into->content)) return false;
  into->executable = mode == 1;
  advance(cursor, &bytes);
  return true;
}
