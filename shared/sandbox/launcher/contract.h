/*
 * contract.h: what contract.def means in C: one struct that has every field of every message, and its codec.
 * It declares no message, field or number by itself. What must stay true: a field's name is MESSAGE_field, so that a
 * renamed or dropped field does not compile.
 */
#ifndef ENVICUTOR_CONTRACT_H
#define ENVICUTOR_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
  const uint8_t *data;
  uint32_t size;
};

struct list { /* validated, still encoded; walked by next_* */
  const uint8_t *data;
  uint32_t size, count;
};

struct file_entry {
  struct slice path, content;
  bool executable;
};

struct bytes { /* growable; the live bytes are data[start .. end) */
  uint8_t *data;
  size_t start, end, capacity;
};

typedef uint8_t field_U8;
typedef uint32_t field_U32;
typedef uint64_t field_U64;
typedef int32_t field_I32;
typedef struct slice field_STR;
typedef struct slice field_BYTES;
typedef struct list field_STRS;
typedef struct list field_U64S;
typedef struct list field_FILES;

#define CONTRACT_VERSION(number) enum { CONTRACT_VERSION_NUMBER = (number) };
#define MESSAGE(name, number, direction) enum { MESSAGE_##name = (number) };
#define FIELD(message, type, name)
#define NAME(table, name, number) enum { table##_##name = (number) };
#define NUMBER(name, number) enum { name = (number) };
#include "contract.def"
#undef CONTRACT_VERSION
#undef MESSAGE
#undef FIELD
#undef NAME
#undef NUMBER

struct message { /* every field of every message, named MESSAGE_field; only those of `number` mean anything */
  uint8_t number;
#define CONTRACT_VERSION(number)
#define MESSAGE(name, number, direction)
#define FIELD(message, type, name) field_##type message##_##name;
#define NAME(table, name, number)
#define NUMBER(name, number)
#include "contract.def"
#undef CONTRACT_VERSION
#undef MESSAGE
#undef FIELD
#undef NAME
#undef NUMBER
};

bool decode_message(const uint8_t *frame, size_t size, struct message *into); /* frame without its length */
void encode_message(const struct message *message, struct bytes *into);
bool next_string(struct list *cursor, struct slice *into);
bool next_number(struct list *cursor, uint64_t *into);
bool next_file(struct list *cursor, struct file_entry *into);
uint8_t *bytes_reserve(struct bytes *bytes, size_t more);
void bytes_append(struct bytes *bytes, const void *data, size_t size);
void bytes_consume(struct bytes *bytes, size_t size);
void bytes_free(struct bytes *bytes);
char *slice_text(struct slice slice); /* a NUL-terminated copy */

#endif
