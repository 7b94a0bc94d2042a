/*
 * Opens files by handle (Shocker).
 */
#include "../attack.h"

int main(void) {
  struct { unsigned size; int type; unsigned char bytes[8]; } handle = {8, 1, {2}};
  int identity = 0;
  TRY("name", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &identity, 0));
  TRY("open", syscall(SYS_open_by_handle_at, 0, &handle, O_RDONLY));
  return 0;
}
