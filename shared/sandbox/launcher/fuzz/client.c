/*
 * client.c: a connection whose bytes come and go in pieces of any size. The frames that are handled must be those of the
 * whole stream, cut once at its lengths; what is queued must arrive in order, whatever one send takes.
 * It never opens a socket: recv and send are this file's. What must stay true: requests.c is not linked, so that a frame
 * is only bytes here.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>

enum { SIZES = 8, FRAME_MAX = 4096, FRAMES_MAX = 1024 };

static struct input stream, sizes;
static uint8_t *arrived;
static size_t arrived_size, queued, handled_count;
static const uint8_t *handled[FRAMES_MAX]; /* where the frame begins in the stream, as far as its bytes tell */
static bool patient; /* the peer takes everything now */

static size_t next_size(void) {
  if (sizes.at == sizes.end) sizes.at -= SIZES;
  uint8_t code = *sizes.at++;
  return code == 0 ? 1 << 16 : code < 200 ? code : (size_t)(code - 199) * 128;
}

static ssize_t fake_recv(int descriptor, void *into, size_t room, int flags) {
  (void)descriptor, (void)flags;
  size_t left = (size_t)(stream.end - stream.at), size = next_size();
  if (left == 0) return errno = EAGAIN, -1;
  if (size > left) size = left;
  if (size > room) size = room;
  memcpy(into, stream.at, size);
  stream.at += size;
  return (ssize_t)size;
}

static ssize_t fake_send(int descriptor, const void *data, size_t size, int flags) {
  (void)descriptor, (void)flags;
  size_t taken = patient ? size : next_size();
  if (!patient && taken % 5 == 4) return errno = taken % 2 == 0 ? EAGAIN : EINTR, -1;
  if (taken > size) taken = size;
  insist(arrived_size + taken <= queued);
  memcpy(arrived + arrived_size, data, taken);
  arrived_size += taken;
  return (ssize_t)taken;
}

#undef FRAME_BYTES_MAX
#define FRAME_BYTES_MAX FRAME_MAX /* the true one costs a gigabyte of address space an input */
#define log_line(level, message, name, value) (void)(message)
#define recv fake_recv
#define send fake_send
#include "../client.c"
#undef recv
#undef send

void requests_orphan(const struct client *client) { (void)client; }

/* A frame is good when it does not begin with 255; every good one is answered by its first bytes as OUTPUT. */
bool handle_request(struct client *client, const uint8_t *frame, size_t size) {
  insist(handled_count < FRAMES_MAX);
  uint8_t *copy = malloc(size);
  insist(copy != NULL);
  memcpy(copy, frame, size);
  handled[handled_count++] = copy;
  if (frame[0] == 255) return false;
  size_t before = client->out.end - client->out.start;
  client_send(client, &(struct message){.number = MESSAGE_OUTPUT, .OUTPUT_data = {frame, (uint32_t)size}});
  size_t more = client->out.end - client->out.start - before;
  arrived = realloc(arrived, queued + more);
  insist(arrived != NULL);
  queued += more;
  return true;
}

/* What any reader of the whole stream would find. */
static void check_frames(const uint8_t *data, size_t size, bool closed) {
  size_t count = 0, at = 0, answered = 0;
  bool refused = false;
  while (!refused && size - at >= 4) {
    uint32_t length;
    memcpy(&length, data + at, sizeof length);
    refused = length == 0 || length > FRAME_MAX;
    if (refused || size - at - 4 < length) break;
    insist(count < handled_count && memcmp(handled[count], data + at + 4, length) == 0);
    refused = data[at + 4] == 255;
    if (!refused && !closed) { /* length, number, launch, stream, length, data */
      insist(memcmp(arrived + answered + 4 + 1 + 8 + 1 + 4, data + at + 4, length) == 0);
      answered += 4 + 1 + 8 + 1 + 4 + length;
    }
    count++;
    at += 4 + length;
  }
  insist(count == handled_count && refused == closed && (closed || answered == queued));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < SIZES || size > 1 << 16) return 0;
  static struct client client;
  client = (struct client){.source = {.descriptor = -1}};
  handled_count = arrived_size = queued = 0;
  patient = false;
  sizes = (struct input){data, data + SIZES};
  stream = (struct input){data + SIZES, data + size};
  clients = &client;
  while (stream.at < stream.end && !client.closing) {
    client_ready(&client.source, client.paused ? EPOLLIN | EPOLLOUT : EPOLLIN);
    clients_flush();
  }
  patient = true;
  if (!client.closing) flush(&client);
  bool closed = client.closing;
  if (!closed) insist(arrived_size == queued);
  check_frames(data + SIZES, size - SIZES, closed);
  while (handled_count > 0) free((void *)(uintptr_t)handled[--handled_count]);
  free(arrived);
  arrived = NULL;
  clients = NULL;
  bytes_free(&client.in);
  bytes_free(&client.out);
  return 0;
}
