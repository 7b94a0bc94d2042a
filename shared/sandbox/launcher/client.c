/*
 * client.c: connections: who may talk to us, frames in, frames out.
 * It never trusts a length or a field: a frame that is not the contract closes its connection, and only that one.
 * What must stay true: a closed connection kills its launches, releases its kept layers and leaves no half one.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 65536, RESUME_BYTES = QUEUE_PAUSE_BYTES / 4 };

static struct source listener = {.descriptor = -1};
static struct client *clients;

bool client_congested(const struct client *client) { return client->out.end - client->out.start > QUEUE_PAUSE_BYTES; }

void client_close(struct client *client, const char *why) {
  if (client->closing) return;
  client->closing = true;
  if (why != NULL) log_line(LOG_LEVEL_WARN, why, NULL, NULL);
  for (struct client **link = &clients; *link != NULL; link = &(*link)->next) {
    if (*link != client) continue;
    *link = client->next;
    break;
  }
  unwatch(&client->source);
  launches_orphan(client);
  requests_orphan(client);
  release_kept(client, 0);
  making_orphan(client);
  bytes_free(&client->in);
  bytes_free(&client->out);
  free_later(client);
  if (options.descriptor >= 0) loop_stop();
}

static void flush(struct client *client) {
  struct bytes *out = &client->out;
  while (out->end > out->start) {
    ssize_t sent = send(client->source.descriptor, out->data + out->start, out->end - out->start, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) {
      client_close(client, NULL);
      return;
    }
    bytes_consume(out, (size_t)sent);
  }
  bool waiting = out->end > out->start;
  if (waiting != client->paused) watch_for(&client->source, waiting ? EPOLLIN | EPOLLOUT : EPOLLIN);
  bool resumed = client->paused && out->end - out->start < RESUME_BYTES;
  client->paused = waiting;
  if (resumed) launches_resume(client);
}

void client_send(struct client *client, const struct message *message) {
  if (client->closing) return;
  encode_message(message, &client->out);
}

void clients_flush(void) {
  for (struct client *client = clients, *next; client != NULL; client = next) {
    next = client->next;
    if (client->out.end > client->out.start && !client->paused) flush(client);
  }
}

/* Handles whole frames; what is left is the beginning of the next one. */
static void take_frames(struct client *client) {
  struct bytes *in = &client->in;
  while (!client->closing && in->end - in->start >= 4) {
    uint32_t size;
    memcpy(&size, in->data + in->start, sizeof size);
    if (size == 0 || size > FRAME_BYTES_MAX) {
      client_close(client, "frame has an impossible length");
      return;
    }
    if (in->end - in->start < 4 + (size_t)size) {
      bytes_reserve(in, 4 + (size_t)size - (in->end - in->start));
      return;
    }
    if (!handle_request(client, in->data + in->start + 4, size)) {
      client_close(client, "frame is not of the contract");
      return;
    }
    if (!client->closing) bytes_consume(in, 4 + (size_t)size);
  }
}

static void client_ready(struct source *source, uint32_t events) {
  struct client *client = (struct client *)((char *)source - offsetof(struct client, source));
  if ((events & EPOLLOUT) != 0) flush(client);
  if (client->closing || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  for (int turn = 0; turn < 16 && !client->closing; turn++) {
    uint8_t *room = bytes_reserve(&client->in, READ_BYTES);
    ssize_t got = recv(source->descriptor, room, client->in.capacity - client->in.end, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      client_close(client, NULL);
      return;
    }
    client->in.end += (size_t)got;
    take_frames(client);
    if (got < READ_BYTES) return; /* most likely all there is; if not, we are called again */
  }
}

static void accept_client(int descriptor) {
  struct ucred peer = {.uid = (uid_t)-1};
  socklen_t size = sizeof peer;
  struct client *client = calloc(1, sizeof *client);
  bool ok = client != NULL && getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (!ok || (peer.uid != 0 && peer.uid != options.client_uid)) {
    log_line(LOG_LEVEL_WARN, "connection by a stranger refused", NULL, NULL);
    free(client);
    close(descriptor);
    return;
  }
  client->uid = peer.uid;
  client->gid = peer.gid;
  client->next = clients;
  clients = client;
  watch(&client->source, descriptor, EPOLLIN, client_ready);
}

static void listener_ready(struct source *source, uint32_t events) {
  (void)events;
  for (int descriptor; (descriptor = accept4(source->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) accept_client(descriptor);
}

/* The name appears only when it can be connected to, and belongs to the client from its first moment. */
static int bind_socket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(options.socket) >= sizeof address.sun_path) refuse("the socket's path is too long", "give --socket a shorter path");
  strcpy(address.sun_path, options.socket);
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  unlink(options.socket);
  mode_t mask = umask(0177);
  int result = descriptor < 0 ? -1 : bind(descriptor, (struct sockaddr *)&address, sizeof address);
  umask(mask);
  if (result != 0 || chown(options.socket, options.client_uid, (gid_t)-1) != 0 || listen(descriptor, 128) != 0)
    refuse("the socket can't be made", "give --socket a path in an existing directory that we may write");
  return descriptor;
}

void clients_open(void) {
  if (options.descriptor < 0) {
    watch(&listener, bind_socket(), EPOLLIN, listener_ready);
    return;
  }
  if (fcntl(options.descriptor, F_SETFL, O_NONBLOCK) != 0 || fcntl(options.descriptor, F_SETFD, FD_CLOEXEC) != 0)
    refuse("--fd is not an open descriptor", "pass a connected stream socket");
  accept_client(options.descriptor);
  if (clients == NULL) refuse("--fd is no socket of an allowed user", "pass a connected Unix stream socket, or give --client-uid");
}

void clients_close(void) {
  if (listener.descriptor >= 0) unlink(options.socket);
  unwatch(&listener);
  while (clients != NULL) client_close(clients, NULL);
}
