/*
 * Filters itself, to take part in the decisions about its own calls.
 */
#include "../attack.h"

int main(void) {
  struct sock_filter filter = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &filter};
  TRY("filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
  TRY("still refused", unshare(CLONE_NEWUSER));
  TRY("unfilter", prctl(PR_SET_SECCOMP, 0, 0));
  return 0;
}
