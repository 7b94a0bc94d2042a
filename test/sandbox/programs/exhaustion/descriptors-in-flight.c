/*
 * Sends descriptors into sockets to hold more than it may.
 */
#include "../attack.h"

int main(void) {
  int ends[2], sent = 0;
  socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends);
  char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  for (; sent < 5000; sent++) {
    int pair[2];
    if (sent % 8 == 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0) {
      memcpy(CMSG_DATA(header), &ends[0], sizeof(int));
      ends[0] = pair[0], ends[1] = pair[1];
    }
    if (sendmsg(ends[1], &message, 0) < 0 && errno == ETOOMANYREFS) break;
  }
  puts(sent < 5000 ? "refused" : "bounded by its descriptors");
  return 0;
}
