/*
 * fields.h: fields of a message made from fuzz input, walked, and compared; one function for each type of contract.def.
 * It never builds a frame by itself: lists are encoded here, messages by contract.c. What must stay true: everything that
 * take_* allocated is freed by release_fields, so that a leak is the launcher's.
 */
#ifndef ENVICUTOR_FUZZ_FIELDS_H
#define ENVICUTOR_FUZZ_FIELDS_H

#include "fuzz.h"

enum { FIELD_ALLOCATIONS_MAX = 64, TEXT_BYTES_MAX = 512 };

static void *field_allocations[FIELD_ALLOCATIONS_MAX];
static size_t field_allocation_count;

static inline void release_fields(void) {
  while (field_allocation_count > 0) free(field_allocations[--field_allocation_count]);
}

static inline void *remember(void *memory) {
  insist(memory != NULL && field_allocation_count < FIELD_ALLOCATIONS_MAX);
  field_allocations[field_allocation_count++] = memory;
  return memory;
}

static inline void take_U8(struct input *input, uint8_t *into) { *into = take_u8(input); }
static inline void take_U32(struct input *input, uint32_t *into) { *into = (uint32_t)take_u64(input); }
static inline void take_U64(struct input *input, uint64_t *into) { *into = take_u64(input); }
static inline void take_I32(struct input *input, int32_t *into) { *into = (int32_t)(uint32_t)take_u64(input); }

static inline uint32_t take_length(struct input *input) {
  uint8_t form = take_u8(input);
  return form < 64 ? form : form < 250 ? (uint32_t)(form - 64) % 16 : ((uint32_t)take_u8(input) * 4) % TEXT_BYTES_MAX;
}

static inline void take_STR(struct input *input, struct slice *into) {
  uint32_t size = take_length(input);
  uint8_t *data = remember(malloc(size + 1));
  take_bytes(input, data, size);
  *into = (struct slice){data, size};
}

static inline void take_BYTES(struct input *input, struct slice *into) { take_STR(input, into); }

static inline void put_text(struct bytes *list, struct input *input) {
  uint8_t text[TEXT_BYTES_MAX];
  uint32_t size = take_length(input);
  take_bytes(input, text, size);
  bytes_append(list, &size, sizeof size);
  bytes_append(list, text, size);
}

static inline void end_list(struct bytes *list, uint32_t count, struct list *into) {
  *into = (struct list){list->data, (uint32_t)(list->end - list->start), count};
  if (list->data != NULL) remember(list->data);
}

static inline void take_STRS(struct input *input, struct list *into) {
  uint32_t count = take_u8(input) % 80;
  struct bytes list = {0};
  for (uint32_t i = 0; i < count; i++) put_text(&list, input);
  end_list(&list, count, into);
}

static inline void take_U64S(struct input *input, struct list *into) {
  uint32_t count = take_u8(input) % 80;
  struct bytes list = {0};
  for (uint32_t i = 0; i < count; i++) {
    uint64_t number = take_u64(input);
    bytes_append(&list, &number, sizeof number);
  }
  end_list(&list, count, into);
}

static inline void take_FILES(struct input *input, struct list *into) {
  uint32_t count = take_u8(input) % 16;
  struct bytes list = {0};
  for (uint32_t i = 0; i < count; i++) {
    put_text(&list, input);
    uint8_t mode = take_u8(input) & 1;
    bytes_append(&list, &mode, 1);
    put_text(&list, input);
  }
  end_list(&list, count, into);
}

/* ---- walks: every byte is read, every item is counted; the sum keeps the reads from being optimised away ---- */

static volatile uint32_t field_sum;

static inline void walk_bytes(struct slice slice) {
  for (uint32_t i = 0; i < slice.size; i++) field_sum += slice.data[i];
}

static inline void walk_U8(const uint8_t *field) { field_sum += *field; }
static inline void walk_U32(const uint32_t *field) { field_sum += *field; }
static inline void walk_U64(const uint64_t *field) { field_sum += (uint32_t)*field; }
static inline void walk_I32(const int32_t *field) { field_sum += (uint32_t)*field; }
static inline void walk_BYTES(const struct slice *field) { walk_bytes(*field); }

static inline void walk_STR(const struct slice *field) {
  char *text = slice_text(*field);
  insist(memcmp(text, field->size > 0 ? (const char *)field->data : "", field->size) == 0 && text[field->size] == '\0');
  free(text);
}

static inline void walk_STRS(const struct list *field) {
  struct list list = *field;
  struct slice item;
  uint32_t count = 0;
  for (; next_string(&list, &item); count++) walk_bytes(item);
  insist(count == field->count && list.size == 0 && !next_string(&list, &item));
}

static inline void walk_U64S(const struct list *field) {
  struct list list = *field;
  uint64_t item;
  uint32_t count = 0;
  for (; next_number(&list, &item); count++) field_sum += (uint32_t)item;
  insist(count == field->count && list.size == 0 && !next_number(&list, &item));
}

static inline void walk_FILES(const struct list *field) {
  struct list list = *field;
  struct file_entry item;
  uint32_t count = 0;
  for (; next_file(&list, &item); count++) {
    walk_bytes(item.path);
    walk_bytes(item.content);
  }
  insist(count == field->count && list.size == 0 && !next_file(&list, &item));
}

/* ---- comparisons ---- */

static inline bool same_bytes(const uint8_t *one, uint32_t one_size, const uint8_t *other, uint32_t other_size) {
  return one_size == other_size && (one_size == 0 || memcmp(one, other, one_size) == 0);
}

static inline bool same_U8(const uint8_t *one, const uint8_t *other) { return *one == *other; }
static inline bool same_U32(const uint32_t *one, const uint32_t *other) { return *one == *other; }
static inline bool same_U64(const uint64_t *one, const uint64_t *other) { return *one == *other; }
static inline bool same_I32(const int32_t *one, const int32_t *other) { return *one == *other; }
static inline bool same_STR(const struct slice *one, const struct slice *other) { return same_bytes(one->data, one->size, other->data, other->size); }
static inline bool same_BYTES(const struct slice *one, const struct slice *other) { return same_STR(one, other); }
static inline bool same_STRS(const struct list *one, const struct list *other) {
  return one->count == other->count && same_bytes(one->data, one->size, other->data, other->size);
}
static inline bool same_U64S(const struct list *one, const struct list *other) { return same_STRS(one, other); }
static inline bool same_FILES(const struct list *one, const struct list *other) { return same_STRS(one, other); }

#endif
