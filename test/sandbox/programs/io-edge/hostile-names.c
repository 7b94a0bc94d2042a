/*
 * Leaves files with line ends, bad text and 255 bytes in their names.
 */
#include "../attack.h"

int main(void) {
  char name[256];
  memset(name, 'n', 255);
  name[255] = 0;
  TRY("long", open(name, O_CREAT, 0600));
  TRY("lines", open("a\nb\r\t", O_CREAT, 0600));
  TRY("bad text", open("\xaa\xff", O_CREAT, 0600));
  TRY("format", open("%s%n%x", O_CREAT, 0600));
  TRY("dots", mkdir("...", 0700));
  char path[5000];
  memset(path, 'p', 4999);
  path[4999] = 0;
  TRY("too long", open(path, O_CREAT, 0600));
  return 0;
}
