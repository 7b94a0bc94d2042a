/*
 * Writes to the layers below it: only its own copy changes.
 */
#include "../attack.h"

int main(void) {
  TRY("remove", unlink("/etc/passwd"));
  TRY("replace", rename("/bin/sh", "/bin/true"));
  TRY("write", open("/etc/passwd", O_WRONLY));
  TRY("make", mkdir("/made", 0755));
  TRY("system", open("/run/envicutor/script", O_CREAT | O_WRONLY, 0755));
  return 0;
}
