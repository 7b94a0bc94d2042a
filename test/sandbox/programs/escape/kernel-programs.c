/*
 * Loads programs into the kernel: bpf, perf, socket filters.
 */
#include "../attack.h"

int main(int count, char **words) {
  TRY("bpf", syscall(SYS_bpf, 5, words, 128));
  TRY("perf", syscall(SYS_perf_event_open, words, 0, -1, -1, 0));
  struct sock_filter filter = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {1, &filter};
  int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
  TRY("socket filter", setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
  TRY("reuseport", setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program));
  TRY("bpf socket", setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_BPF, &descriptor, sizeof descriptor));
  return 0;
}
