/*
 * seccomp.c: the system calls that a sandbox may not make; everything else is allowed, since allow-lists break on every
 * new libc. A refusal is an errno, never a kill, so that runtimes fall back.
 * It never trusts an argument's upper half where the kernel reads 32 bits. What must stay true: foreign
 * architectures, x32 and calls newer than this list are refused before anything else is looked at.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter knows x86-64 and arm64"
#endif

/* Newer than the headers of the oldest system that we build on. */
enum { CALL_CACHESTAT = 451, CALL_STATMOUNT = 457, CALL_LISTMOUNT = 458 };

enum { NEWEST_KNOWN_CALL = 466, INSTRUCTIONS_MAX = 512, TERMINAL_INJECT = 0x5412, TERMINAL_LINUX = 0x541C };

struct denial {
  int call, error;
};

static const struct denial everywhere[] = {
    {SYS_add_key, EPERM}, {SYS_request_key, EPERM}, {SYS_keyctl, EPERM}, {SYS_bpf, EPERM}, {SYS_perf_event_open, EPERM},
    {SYS_userfaultfd, EPERM}, {SYS_io_uring_setup, ENOSYS}, {SYS_io_uring_enter, ENOSYS}, {SYS_io_uring_register, ENOSYS},
    {SYS_process_vm_writev, EPERM}, {SYS_kcmp, EPERM}, {SYS_pidfd_getfd, EPERM}, {SYS_process_madvise, EPERM}, {SYS_setns, EPERM},
    {SYS_clone3, ENOSYS}, {SYS_kexec_load, EPERM}, {SYS_init_module, EPERM}, {SYS_finit_module, EPERM}, {SYS_delete_module, EPERM},
    {SYS_reboot, EPERM}, {SYS_swapon, EPERM}, {SYS_swapoff, EPERM}, {SYS_acct, EPERM}, {SYS_quotactl, EPERM}, {SYS_settimeofday, EPERM},
    {SYS_clock_settime, EPERM}, {SYS_clock_adjtime, EPERM}, {SYS_adjtimex, EPERM}, {SYS_sethostname, EPERM}, {SYS_setdomainname, EPERM},
    {SYS_open_by_handle_at, EPERM}, {SYS_name_to_handle_at, EPERM}, {SYS_fanotify_init, EPERM}, {SYS_fanotify_mark, EPERM},
    {SYS_vhangup, EPERM}, {SYS_syslog, EPERM}, {SYS_memfd_secret, ENOSYS}, {SYS_move_pages, EPERM}, {SYS_migrate_pages, EPERM},
    {SYS_mbind, EPERM}, {SYS_set_mempolicy, EPERM}, {SYS_set_mempolicy_home_node, EPERM}, {SYS_lookup_dcookie, EPERM},
    {SYS_nfsservctl, ENOSYS}, {SYS_quotactl_fd, EPERM}, {SYS_kexec_file_load, EPERM}, {CALL_CACHESTAT, ENOSYS},
    {CALL_STATMOUNT, ENOSYS}, {CALL_LISTMOUNT, ENOSYS},
    {SYS_sync, 0}, /* done, as far as a tmpfs goes: never flush the host's disks */
#if defined(__x86_64__)
    {SYS_iopl, EPERM}, {SYS_ioperm, EPERM}, {SYS_modify_ldt, EPERM}, {SYS_create_module, ENOSYS}, {SYS_query_module, ENOSYS},
    {SYS_get_kernel_syms, ENOSYS}, {SYS_uselib, ENOSYS}, {SYS__sysctl, ENOSYS}, {SYS_ustat, ENOSYS}, {SYS_sysfs, ENOSYS},
#endif
};

static const struct denial unless_bootstrap[] = {
    {SYS_mount, EPERM}, {SYS_umount2, EPERM}, {SYS_pivot_root, EPERM}, {SYS_unshare, EPERM}, {SYS_open_tree, EPERM},
    {SYS_move_mount, EPERM}, {SYS_fsopen, EPERM}, {SYS_fsconfig, EPERM}, {SYS_fsmount, EPERM}, {SYS_fspick, EPERM},
    {SYS_mount_setattr, EPERM},
};

static struct sock_filter program[INSTRUCTIONS_MAX];
static unsigned short length;

static void add(struct sock_filter instruction) {
  if (length < INSTRUCTIONS_MAX) program[length++] = instruction;
}

#define LOAD(offset) add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset)))
#define LOAD_CALL() LOAD(offsetof(struct seccomp_data, nr))
#define LOAD_ARGUMENT(index) LOAD(offsetof(struct seccomp_data, args) + 8 * (index)) /* lower half: little endian */
#define SKIP(operation, value, when_true, when_false) \
  add((struct sock_filter)BPF_JUMP(BPF_JMP | (operation) | BPF_K, (value), (when_true), (when_false)))
#define ANSWER(error) add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error)))
#define ALLOW() add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW))

static void deny(const struct denial *denials, size_t count) {
  for (size_t i = 0; i < count; i++) {
    SKIP(BPF_JEQ, (uint32_t)denials[i].call, 0, 1);
    ANSWER((uint32_t)denials[i].error);
  }
}

/* An argument must be one of a few values. */
static void allow_only(uint32_t call, unsigned argument, const uint32_t *values, uint8_t count, uint32_t error) {
  SKIP(BPF_JEQ, call, 0, (uint8_t)(2 * count + 2));
  LOAD_ARGUMENT(argument);
  for (uint8_t i = 0; i < count; i++) {
    SKIP(BPF_JEQ, values[i], 0, 1);
    ALLOW();
  }
  ANSWER(error);
}

/* Refuses, or pretends, when two arguments have these values; the accumulator holds the call's number before and after. */
static void answer_pair(uint32_t call, unsigned first, uint32_t one, unsigned second, uint32_t other, uint32_t error) {
  SKIP(BPF_JEQ, call, 0, 6);
  LOAD_ARGUMENT(first);
  SKIP(BPF_JEQ, one, 0, 3);
  LOAD_ARGUMENT(second);
  SKIP(BPF_JEQ, other, 0, 1);
  ANSWER(error);
  LOAD_CALL();
}

/* Only what the kernel has built in and programs use: the rest would load modules at a stranger's wish. */
static void check_protocol(void) {
  static const uint32_t protocols[] = {0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6};
  enum { COUNT = sizeof protocols / sizeof protocols[0] };
  SKIP(BPF_JEQ, SYS_socket, 0, COUNT + 3);
  LOAD_ARGUMENT(2);
  for (uint8_t i = 0; i < COUNT; i++) SKIP(BPF_JEQ, protocols[i], COUNT - i, 0);
  ANSWER(EPROTONOSUPPORT);
  LOAD_CALL();
}

/* A program that sets its core limit to 0 would have the host's crash handler run for it; NULL as new limit only asks. */
static void keep_core_limit(void) {
  SKIP(BPF_JEQ, SYS_prlimit64, 0, 8);
  LOAD_ARGUMENT(1);
  SKIP(BPF_JEQ, RLIMIT_CORE, 0, 5);
  LOAD_ARGUMENT(2);
  SKIP(BPF_JEQ, 0, 0, 2);
  LOAD(offsetof(struct seccomp_data, args) + 8 * 2 + 4);
  SKIP(BPF_JEQ, 0, 1, 0);
  ANSWER(0);
  LOAD_CALL();
  SKIP(BPF_JEQ, SYS_setrlimit, 0, 4);
  LOAD_ARGUMENT(0);
  SKIP(BPF_JEQ, RLIMIT_CORE, 0, 1);
  ANSWER(0);
  LOAD_CALL();
}

static void check_arguments(uint8_t profile) {
  static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  static const uint32_t personalities[] = {0, 0xFFFFFFFF, 0x0008, 0x20000, 0x20008, 0x0040000};
  uint8_t family_count = program_user(profile) != 0 ? 3 : 4;
  static const uint32_t filters[] = {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF};
  for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) /* they eat from the machine's one budget for compiled filters */
    answer_pair(SYS_setsockopt, 1, SOL_SOCKET, 2, filters[i], EPERM);
  /* To drop the pages of a layer's file would slow the neighbours, and tell them: the advice is taken and ignored. */
  answer_pair(SYS_fadvise64, 3, POSIX_FADV_DONTNEED, 3, POSIX_FADV_DONTNEED, 0);
  keep_core_limit();
  if (program_user(profile) != 0) check_protocol();
  allow_only(SYS_socket, 0, families, family_count, EAFNOSUPPORT);
  allow_only(SYS_socketpair, 0, families, 3, EAFNOSUPPORT);
  allow_only(SYS_personality, 0, personalities, 6, EPERM);

  SKIP(BPF_JEQ, SYS_ioctl, 0, 5);
  LOAD_ARGUMENT(1);
  SKIP(BPF_JEQ, TERMINAL_INJECT, 1, 0);
  SKIP(BPF_JEQ, TERMINAL_LINUX, 0, 1);
  ANSWER(EPERM);
  ALLOW();

  SKIP(BPF_JEQ, SYS_clone, 0, 4);
  LOAD_ARGUMENT(0);
  uint32_t spaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  SKIP(BPF_JSET, spaces, 0, 1);
  ANSWER(EPERM);
  ALLOW();
}

int install_filter(struct setup *setup) {
  length = 0;
  LOAD(offsetof(struct seccomp_data, arch));
  SKIP(BPF_JEQ, OUR_ARCHITECTURE, 1, 0);
  ANSWER(ENOSYS);
  LOAD_CALL();
  SKIP(BPF_JGT, NEWEST_KNOWN_CALL, 0, 1); /* x32 numbers have bit 30 set: refused here too */
  ANSWER(ENOSYS);
  deny(everywhere, sizeof everywhere / sizeof everywhere[0]);
  if (setup->profile != PROFILE_BOOTSTRAP) deny(unless_bootstrap, sizeof unless_bootstrap / sizeof unless_bootstrap[0]);
  check_arguments(setup->profile);
  ALLOW();
  struct sock_fprog filter = {.len = length, .filter = program};
  if (length == INSTRUCTIONS_MAX) return E2BIG;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 ? 0 : errno;
}
