/*
 * decode.c: any bytes as a frame. What is refused must cost nothing; what is accepted has one reading and one writing.
 * It never makes a frame well formed first. What must stay true: encoding what was decoded gives the same bytes again,
 * so that the launcher and a payload that decodes the same frame later can't see two different launches.
 */
#include "fields.h"

static void walk(const struct message *m) {
#define FIELD(owner, type, name) \
  if (m->number == MESSAGE_##owner) walk_##type(&m->owner##_##name);
#include "table.h"
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct message message;
  memset(&message, 0xA5, sizeof message); /* a field that is used but was not decoded points nowhere */
  if (!decode_message(data, size, &message)) return 0;
  walk(&message);
  struct bytes encoded = {0};
  encode_message(&message, &encoded);
  uint32_t length;
  insist(encoded.end - encoded.start == sizeof length + size);
  memcpy(&length, encoded.data + encoded.start, sizeof length);
  insist(length == size && memcmp(encoded.data + encoded.start + sizeof length, data, size) == 0);
  bytes_free(&encoded);
  return 0;
}
