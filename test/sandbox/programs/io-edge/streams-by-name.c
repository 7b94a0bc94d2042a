/*
 * Opens its streams by the names that programs use.
 */
#include "../attack.h"

int main(void) {
  TRY("/dev/stdin", open("/dev/stdin", O_RDONLY));
  TRY("/dev/stdout", open("/dev/stdout", O_WRONLY | O_APPEND));
  TRY("/dev/stderr", open("/dev/stderr", O_WRONLY));
  TRY("/dev/fd/0", open("/dev/fd/0", O_RDONLY));
  return 0;
}
