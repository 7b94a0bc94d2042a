/*
 * Is killed by its own filter.
 */
#include "../attack.h"

int main(void) {
  struct sock_filter filter = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog program = {1, &filter};
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  pause();
  return 0;
}
