/*
 * Takes capabilities back.
 */
#include "../attack.h"

int main(void) {
  struct { uint32_t version; int pid; } header = {0x20080522, 0};
  struct { uint32_t effective, permitted, inheritable; } data[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
  TRY("capset", syscall(SYS_capset, &header, data));
  TRY("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
  TRY("keep", prctl(PR_SET_KEEPCAPS, 1));
  TRY("securebits", prctl(PR_SET_SECUREBITS, 0));
  TRY("new privileges", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  printf("%d %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_SECCOMP));
  return 0;
}
