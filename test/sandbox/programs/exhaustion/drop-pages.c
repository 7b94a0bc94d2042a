/*
 * Throws the pages of its layers out of memory: the advice is ignored.
 */
#include "../attack.h"

int main(void) {
  int file = open("/attack", O_RDONLY);
  TRY("advice", posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0 ? 0 : -1);
  TRY("caches", open("/proc/sys/vm/drop_caches", O_WRONLY));
  return 0;
}
