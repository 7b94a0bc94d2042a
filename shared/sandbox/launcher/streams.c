/*
 * streams.c: a program's bytes: its two output pipes or its terminal (and the egress proxy's records and the collected
 * files) to the client, the client's to it.
 * It never holds more than the client lets it: a congested client stops the reading, not the timers; a launch whose window
 * is used up is not read, and no other launch hears of it.
 * A program that writes byte by byte would have us and everybody behind us work for each byte, on the time of all others: a
 * stream that has little again and again, and answers no input, rests in between, and what comes meanwhile is read together.
 * What must stay true: exactly outputBytes of a stream are forwarded, the first byte above ends the run; and a program
 * that does not read its input never makes its client wait: what it refuses is taken and thrown away.
 */
#include "launcher.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { READS_PER_TURN = 16, LITTLE_READS = 8, LITTLE_BYTES = 4096, LITTLE_TERMINAL_BYTES = 1024 };
#define REST_NS NS_PER_MS

/* No terminal ever has 4096 bytes for one read, whatever was written into it. */
static uint64_t little_of(const struct stream *stream) {
  return stream->number == 1 && stream->launch->message.LAUNCH_terminal != 0 ? LITTLE_TERMINAL_BYTES : LITTLE_BYTES;
}

/* A little read costs one rest. Those that were not needed lately have paid for the next few: after LITTLE_READS at once it rests. */
static void rest_after(struct stream *stream, uint64_t got) {
  if (got == 0 || got >= little_of(stream)) return;
  uint64_t now = monotonic_ns(), earliest = now - (LITTLE_READS - 1) * REST_NS;
  if (stream->paid_until < earliest) stream->paid_until = earliest;
  stream->paid_until += REST_NS;
  if (stream->paid_until <= now) return;
  stream->rests_until = stream->paid_until;
  watch_for(&stream->source, 0);
}

static void stream_ready(struct source *source, uint32_t events) {
  (void)events;
  struct stream *stream = (struct stream *)((char *)source - offsetof(struct stream, source));
  struct launch *launch = stream->launch;
  uint64_t before = stream->taken;
  stream_pump(stream);
  if (stream->over)
    launch_progress(launch);
  else
    rest_after(stream, stream->taken - before);
}

void stream_open(struct launch *launch, size_t index, int descriptor) {
  struct stream *stream = &launch->streams[index];
  stream->over = false;
  watch(&stream->source, descriptor, EPOLLIN, stream_ready);
}

void input_open(struct launch *launch, int descriptor) {
  launch->input.descriptor = descriptor;
  launch->pipe_input = true;
  input_pump(launch);
}

/* With a terminal the pipes stay the shell's, and terminal.c opens output and input once there is one. */
void streams_open(struct launch *launch) {
  int *pipes = launch->shell->pipes;
  if (launch->message.LAUNCH_stdinOpen == 0) launch->input_last = true;
  if (launch->message.LAUNCH_terminal != 0) return;
  for (size_t i = 0; i < 2; i++) {
    stream_open(launch, i, pipes[i + 1]);
    pipes[i + 1] = -1;
  }
  int input = pipes[0];
  pipes[0] = -1;
  input_open(launch, input);
}

static void forward(struct stream *stream, const uint8_t *data, size_t size) {
  struct launch *launch = stream->launch;
  uint64_t limit = stream->number <= 2 ? launch->message.LAUNCH_outputBytes : UINT64_MAX;
  uint64_t left = limit - stream->forwarded;
  size_t taken = size > left ? (size_t)left : size;
  stream->forwarded += taken;
  launch->output_credit -= taken < launch->output_credit ? taken : launch->output_credit;
  if (taken > 0 && launch->client != NULL)
    client_send(launch->client, &(struct message){.number = MESSAGE_OUTPUT, .OUTPUT_launch = launch->number, .OUTPUT_stream = stream->number,
                                                  .OUTPUT_data = {data, (uint32_t)taken}});
  if (taken == size || stream->truncated) return;
  stream->truncated = true;
  launch_exceeded(launch, LIMIT_OUTPUT, limit + 1);
}

/* The kernel says so only after it has moved everything from one side of a terminal to the other. */
static bool drained(const struct stream *stream) {
  return stream->number == 1 && stream->launch->ended && stream->launch->message.LAUNCH_terminal != 0;
}

/* How much may be read at once. What the dead have left is little, and waits for nobody. */
static size_t room_of(const struct stream *stream, size_t most) {
  const struct launch *launch = stream->launch;
  bool bounded = stream->number <= 2 && launch->message.LAUNCH_outputWindowBytes > 0 && launch->client != NULL && !launch->ended;
  return bounded && launch->output_credit < most ? (size_t)launch->output_credit : most;
}

void stream_pump(struct stream *stream) {
  static uint8_t buffer[OUTPUT_FRAME_BYTES_MAX];
  struct launch *launch = stream->launch;
  for (int turn = 0; turn < READS_PER_TURN && !stream->over; turn++) {
    size_t room = room_of(stream, sizeof buffer);
    if (room == 0 || (launch->client != NULL && client_congested(launch->client))) {
      watch_for(&stream->source, 0); /* streams_credit or launches_resume will come */
      return;
    }
    ssize_t got = read(stream->source.descriptor, buffer, room);
    if (got > 0) {
      stream->taken += (uint64_t)got;
      forward(stream, buffer, (size_t)got);
      if ((uint64_t)got < little_of(stream) && !launch->ended) return;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR) || (errno == EAGAIN && drained(stream))) {
      stream->over = true;
      unwatch(&stream->source);
    } else {
      return;
    }
  }
}

/* Every writer is dead, so each pipe soon says end of file; what is left in it is forwarded first. So does a terminal,
 * by EIO, once nobody has its other side. */
void streams_finish(struct launch *launch) {
  close_descriptor(&launch->terminal);
  if (launch->message.LAUNCH_outputWindowBytes > 0) streams_resume(launch);
  streams_wake(launch, UINT64_MAX);
  for (size_t i = 0; i < 2; i++)
    if (!launch->streams[i].over) stream_pump(&launch->streams[i]);
}

bool streams_over(const struct launch *launch) {
  for (size_t i = 0; i < STREAMS; i++)
    if (!launch->streams[i].over) return false;
  return true;
}

/* Who rests goes on resting. */
void streams_resume(struct launch *launch) {
  for (size_t i = 0; i < STREAMS; i++)
    if (!launch->streams[i].over && launch->streams[i].rests_until == 0) watch_for(&launch->streams[i].source, EPOLLIN);
}

uint64_t streams_wake_at(const struct launch *launch) {
  uint64_t first = 0;
  for (size_t i = 0; i < STREAMS; i++) {
    uint64_t at = launch->streams[i].over ? 0 : launch->streams[i].rests_until;
    if (at != 0 && (first == 0 || at < first)) first = at;
  }
  return first;
}

static void wake(struct stream *stream, uint64_t now) {
  if (stream->over || stream->rests_until == 0 || now < stream->rests_until) return;
  stream->rests_until = 0;
  watch_for(&stream->source, EPOLLIN);
}

void streams_wake(struct launch *launch, uint64_t now) {
  for (size_t i = 0; i < STREAMS; i++) wake(&launch->streams[i], now);
}

/* What a program says next may answer the input that comes now: it is heard at once, as after a pause, and no more of it. */
static void streams_answer(struct launch *launch) {
  for (size_t i = 0; i < 2; i++) {
    launch->streams[i].paid_until = 0;
    wake(&launch->streams[i], UINT64_MAX);
  }
}

void streams_credit(struct launch *launch, uint32_t bytes) {
  if (launch->message.LAUNCH_outputWindowBytes == 0) return;
  launch->output_credit += bytes;
  streams_resume(launch);
}

/* ---- standard input ---- */

static void give_credit(struct launch *launch, size_t size) {
  launch->input_owed += size;
  if (launch->client == NULL || launch->input_owed == 0) return;
  bool idle = launch->input_queue.end == launch->input_queue.start;
  if (!idle && launch->input_owed < STDIN_CREDIT_BYTES / 4) return;
  launch->input_credit += launch->input_owed;
  client_send(launch->client, &(struct message){.number = MESSAGE_STDIN_CREDIT, .STDIN_CREDIT_launch = launch->number,
                                                .STDIN_CREDIT_bytes = (uint32_t)launch->input_owed});
  launch->input_owed = 0;
}

static void input_ready(struct source *source, uint32_t events) {
  (void)events;
  input_pump((struct launch *)((char *)source - offsetof(struct launch, input)));
}

/* A terminal's input ends by a key, after everything else was written. */
static void type_end(struct launch *launch) {
  uint8_t keys[2];
  if (!launch->pipe_input || launch->input_end_typed) return;
  launch->input_end_typed = true;
  bytes_append(&launch->input_queue, keys, terminal_end_keys(launch, keys));
}

static void write_input(struct launch *launch) {
  struct bytes *queue = &launch->input_queue;
  while (queue->end > queue->start) {
    size_t size = queue->end - queue->start;
    ssize_t wrote = launch->input_broken ? (ssize_t)size : write(launch->input.descriptor, queue->data + queue->start, size);
    if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (wrote < 0) {
      launch->input_broken = true;
      continue;
    }
    if (!launch->input_broken && !launch->input_end_typed) launch->input_taken += (uint64_t)wrote;
    bytes_consume(queue, (size_t)wrote);
    if (!launch->input_last) give_credit(launch, (size_t)wrote);
  }
}

void input_pump(struct launch *launch) {
  struct bytes *queue = &launch->input_queue;
  if (!launch->pipe_input && !launch->input_broken) return; /* no shell yet: it waits */
  write_input(launch);
  if (launch->input_last && queue->end == queue->start) {
    type_end(launch);
    write_input(launch);
  }
  bool waiting = queue->end > queue->start;
  if (waiting && !launch->input_watched) {
    watch(&launch->input, launch->input.descriptor, EPOLLOUT, input_ready);
    launch->input_watched = true;
  } else if (waiting || launch->input_watched) {
    watch_for(&launch->input, waiting ? EPOLLOUT : 0);
  }
  if (!waiting && launch->input_last) input_close(launch);
}

/* false: more than the credit, or after the last: not the contract. */
bool input_accept(struct launch *launch, struct slice data, bool last) {
  if (launch->input_last || data.size > launch->input_credit) return launch->message.LAUNCH_stdinOpen != 0 && launch->ended;
  launch->input_credit -= data.size;
  bytes_append(&launch->input_queue, data.data, data.size);
  if (data.size > 0) launch->input_last_byte = data.data[data.size - 1];
  launch->input_last = last;
  if (data.size > 0 && !launch->input_broken) streams_answer(launch);
  input_pump(launch);
  return true;
}

/* What still lies in the pipe was not taken by the program. */
void input_close(struct launch *launch) {
  int unread = 0;
  if (!launch->pipe_input) return;
  int readable = launch->terminal < 0 ? launch->input.descriptor : launch->terminal;
  if (launch->ended && ioctl(readable, FIONREAD, &unread) == 0 && unread > 0) {
    uint64_t left = (uint64_t)unread; /* more than we gave, if the program wrote into its own input */
    launch->input_taken -= left < launch->input_taken ? left : launch->input_taken;
  }
  launch->pipe_input = false;
  launch->input_broken = true;
  unwatch(&launch->input);
}
