/*
 * Traces process 1.
 */
#include "../attack.h"

int main(void) {
  TRY("attach", ptrace(PTRACE_ATTACH, 1, 0, 0));
  TRY("seize", ptrace(PTRACE_SEIZE, 1, 0, 0));
  struct { void *base; size_t size; } here = {&here, 8}, there = {(void *)4096, 8};
  TRY("read", syscall(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0));
  TRY("write", syscall(SYS_process_vm_writev, 1, &here, 1, &there, 1, 0));
  return 0;
}
