/*
 * Moves memory between banks, poisons and hides it.
 */
#include "../attack.h"

int main(void) {
  void *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TRY("mbind", syscall(SYS_mbind, page, 4096, 0, 0, 0, 0));
  TRY("migrate", syscall(SYS_migrate_pages, 0, 0, 0, 0));
  TRY("move", syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0));
  TRY("poison", madvise(page, 4096, 100));
  TRY("offline", madvise(page, 4096, 101));
  TRY("secret", syscall(SYS_memfd_secret, 0));
  return 0;
}
