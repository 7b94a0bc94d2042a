/*
 * network.c: a sandbox's network namespace: loopback only, and for a build the three sockets that the egress proxy serves.
 * It never adds a route or a device. What must stay true: nothing but our proxy's sockets answers on EGRESS_ADDRESS, so
 * that a script's own servers on 127.0.0.1 do not collide, and nothing else can be reached at all.
 */
#include "launcher.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EGRESS_ADDRESS "198.18.0.1"
enum { EGRESS_BACKLOG = 1024 };

int prepare_network(struct setup *setup) {
  (void)setup;
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return errno;
  int error = ioctl(control, SIOCSIFFLAGS, &request) != 0 ? errno : 0;
  close(control);
  return error;
}

static struct sockaddr_in egress_address(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, EGRESS_ADDRESS, &address.sin_addr);
  return address;
}

/* As an alias of lo: the old ioctl needs no netlink message, and the address is a /32. */
static int add_address(void) {
  struct ifreq request = {.ifr_name = "lo:1"};
  struct sockaddr_in address = egress_address(0);
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return errno;
  memcpy(&request.ifr_addr, &address, sizeof address);
  int error = ioctl(control, SIOCSIFADDR, &request) != 0 ? errno : 0;
  address.sin_addr.s_addr = htonl(INADDR_BROADCAST);
  memcpy(&request.ifr_netmask, &address, sizeof address);
  if (error == 0 && ioctl(control, SIOCSIFNETMASK, &request) != 0) error = errno;
  close(control);
  return error;
}

static int open_socket(int type, uint16_t port) {
  struct sockaddr_in address = egress_address(port);
  int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0 &&
      (type != SOCK_STREAM || listen(descriptor, EGRESS_BACKLOG) == 0))
    return descriptor;
  int error = errno;
  close(descriptor);
  return -error;
}

/* The launcher gets the sockets, starts the proxy with them and says when to go on; connections queue until it accepts. */
int open_egress(struct setup *setup) {
  if (setup->word.egress == 0) return 0;
  int error = add_address();
  if (error != 0) return error;
  int sockets[3] = {open_socket(SOCK_STREAM, 80), open_socket(SOCK_STREAM, 443), open_socket(SOCK_DGRAM, 53)};
  for (int i = 0; i < 3; i++)
    if (sockets[i] < 0) return -sockets[i];
  struct note note = {.kind = NOTE_EGRESS};
  uint32_t word;
  int result = send_packet(setup->notes, &note, sizeof note, sockets, 3);
  for (int i = 0; i < 3; i++) close(sockets[i]);
  size_t none = 0;
  if (result != 0) return -result;
  if (receive_packet(setup->notes, &word, sizeof word, NULL, &none, 0) != (ssize_t)sizeof word) return ECONNRESET;
  return word == WORD_GO_ON ? 0 : ECANCELED;
}
