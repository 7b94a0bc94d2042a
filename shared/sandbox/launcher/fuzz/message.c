/*
 * message.c: any message with any values, encoded behind other frames, decoded again and compared field by field.
 * It never keeps a value in its range. What must stay true: what the launcher says is what its client reads.
 */
#include "fields.h"

static const uint8_t numbers[] = {
#define MESSAGE(name, number, direction) number,
#include "table.h"
};

static void fill(struct message *m, struct input *input) {
#define FIELD(owner, type, name) \
  if (m->number == MESSAGE_##owner) take_##type(input, &m->owner##_##name);
#include "table.h"
}

static void compare(const struct message *one, const struct message *other) {
  insist(one->number == other->number);
#define FIELD(owner, type, name) insist(one->number != MESSAGE_##owner || same_##type(&one->owner##_##name, &other->owner##_##name));
#include "table.h"
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, data + size};
  struct bytes queue = {0};
  for (int frames = 0; frames < 4 && input.at < input.end; frames++) {
    struct message sent = {.number = numbers[take_u8(&input) % sizeof numbers]}, received;
    fill(&sent, &input);
    size_t before = queue.end - queue.start;
    encode_message(&sent, &queue);
    const uint8_t *frame = queue.data + queue.start + before;
    uint32_t length;
    memcpy(&length, frame, sizeof length);
    insist(length == queue.end - queue.start - before - sizeof length);
    insist(decode_message(frame + sizeof length, length, &received));
    insist(length == 0 || !decode_message(frame + sizeof length, length - 1, &received) || sent.number != received.number);
    insist(decode_message(frame + sizeof length, length, &received));
    compare(&sent, &received);
    release_fields();
    if (take_u8(&input) % 2 == 0) bytes_consume(&queue, before); /* a client that reads in between */
  }
  bytes_free(&queue);
  return 0;
}
