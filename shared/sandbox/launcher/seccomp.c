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
#include <string.h>
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

enum { NEWEST_KNOWN_CALL = 466, INSTRUCTIONS_MAX = 1024, NEAR_RANGES = 24, TERMINAL_INJECT = 0x5412,
       TERMINAL_LINUX = 0x541C, TERMINAL_DISCIPLINE = 0x5423 };

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

/* One filter per kind of profile, built once in the launcher and inherited by every shell. */
enum { FOR_PROGRAMS, FOR_BUILDS, FOR_BOOTSTRAP, FILTERS };
static struct filter {
  struct sock_filter code[INSTRUCTIONS_MAX];
  unsigned short length;
} filters[FILTERS], *filter;

static void add(struct sock_filter instruction) {
  if (filter->length < INSTRUCTIONS_MAX) filter->code[filter->length++] = instruction;
}

#define LOAD(offset) add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset)))
#define LOAD_ARGUMENT(index) LOAD(offsetof(struct seccomp_data, args) + 8 * (index)) /* lower half: little endian */
#define LOAD_UPPER_HALF(index) LOAD(offsetof(struct seccomp_data, args) + 8 * (index) + 4)
#define SKIP(operation, value, when_true, when_false) \
  add((struct sock_filter)BPF_JUMP(BPF_JMP | (operation) | BPF_K, (value), (when_true), (when_false)))
#define ANSWER(error) add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error)))
#define ALLOW() add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW))

/* ---- calls whose arguments decide: each of these is a leaf of the tree and ends in an answer ---- */

static void allow_only(unsigned argument, const uint32_t *values, uint8_t count, uint32_t error) {
  LOAD_ARGUMENT(argument);
  for (uint8_t i = 0; i < count; i++) SKIP(BPF_JEQ, values[i], count - i, 0);
  ANSWER(error);
  ALLOW();
}

static void deny_these(unsigned argument, const uint32_t *values, uint8_t count, uint32_t error) {
  LOAD_ARGUMENT(argument);
  for (uint8_t i = 0; i < count; i++) SKIP(BPF_JEQ, values[i], count - i, 0);
  ALLOW();
  ANSWER(error);
}

/* Only what the kernel has built in and programs use: the rest would load modules at a stranger's wish. */
static void check_socket(void) {
  static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  static const uint32_t protocols[] = {0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6};
  enum { PROTOCOLS = sizeof protocols / sizeof protocols[0] };
  if (filter != &filters[FOR_PROGRAMS]) {
    allow_only(0, families, 4, EAFNOSUPPORT);
    return;
  }
  LOAD_ARGUMENT(2);
  for (uint8_t i = 0; i < PROTOCOLS; i++) SKIP(BPF_JEQ, protocols[i], PROTOCOLS - i, 0);
  ANSWER(EPROTONOSUPPORT);
  allow_only(0, families, 3, EAFNOSUPPORT);
}

static void check_socketpair(void) {
  static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6};
  allow_only(0, families, 3, EAFNOSUPPORT);
}

static void check_personality(void) {
  static const uint32_t personalities[] = {0, 0xFFFFFFFF, 0x0008, 0x20000, 0x20008, 0x0040000};
  allow_only(0, personalities, 6, EPERM);
}

/* Programs for the kernel eat from the machine's one budget for compiled filters. */
static void check_socket_option(void) {
  static const uint32_t attached[] = {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF};
  LOAD_ARGUMENT(1);
  SKIP(BPF_JEQ, SOL_SOCKET, 1, 0);
  ALLOW();
  deny_these(2, attached, 4, EPERM);
}

/* To drop the pages of a layer's file would slow the neighbours, and tell them: the advice is taken and ignored. */
static void check_advice(void) {
  static const uint32_t ignored[] = {POSIX_FADV_DONTNEED};
  deny_these(3, ignored, 1, 0);
}

/* A program that sets its core limit to 0 would have the host's crash handler run for it; NULL as new limit only asks. */
static void keep_core_limit(void) {
  if (one_id()) {
    LOAD_ARGUMENT(0);
    SKIP(BPF_JEQ, 1, 0, 1);
    ANSWER(EPERM);
  }
  LOAD_ARGUMENT(1);
  SKIP(BPF_JEQ, RLIMIT_CORE, 1, 0);
  ALLOW();
  LOAD_ARGUMENT(2);
  SKIP(BPF_JEQ, 0, 0, 2);
  LOAD_UPPER_HALF(2);
  SKIP(BPF_JEQ, 0, 1, 0);
  ANSWER(0);
  ALLOW();
}

static void keep_core_limit_too(void) {
  static const uint32_t kept[] = {RLIMIT_CORE};
  deny_these(0, kept, 1, 0);
}

/* Lower halves only: the kernel looks at no more, so high bits hide nothing. */
static void check_terminal_control(void) {
  /* Another line discipline would be loaded at a stranger's wish. */
  static const uint32_t commands[] = {TERMINAL_INJECT, TERMINAL_LINUX, TERMINAL_DISCIPLINE};
  deny_these(1, commands, 3, EPERM);
}

static void check_clone(void) {
  LOAD_ARGUMENT(0);
  SKIP(BPF_JSET, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 1, 0);
  ALLOW();
  ANSWER(EPERM);
}

/* Where the program has the id of its process 1, the kernel would let it change that one's limits and precedence. */
static void not_init(void) {
  static const uint32_t init[] = {1};
  deny_these(0, init, 1, EPERM);
}

static void not_init_nor_user(uint32_t process, uint32_t user) {
  static const uint32_t init[] = {1};
  LOAD_ARGUMENT(0);
  SKIP(BPF_JEQ, user, 0, 1);
  ANSWER(EPERM);
  SKIP(BPF_JEQ, process, 1, 0);
  ALLOW();
  deny_these(1, init, 1, EPERM);
}

static void check_priority(void) { not_init_nor_user(PRIO_PROCESS, PRIO_USER); }
static void check_disk_priority(void) { not_init_nor_user(1, 3); } /* the kernel's IOPRIO_WHO_PROCESS and _USER */

static const struct check {
  int call;
  void (*code)(void);
} checks[] = {
    {SYS_socket, check_socket},           {SYS_socketpair, check_socketpair}, {SYS_personality, check_personality},
    {SYS_setsockopt, check_socket_option}, {SYS_fadvise64, check_advice},      {SYS_prlimit64, keep_core_limit},
    {SYS_setrlimit, keep_core_limit_too}, {SYS_ioctl, check_terminal_control}, {SYS_clone, check_clone},
    /* from here on: only where there is one id */
    {SYS_setpriority, check_priority},    {SYS_ioprio_set, check_disk_priority},
    {SYS_sched_setaffinity, not_init},    {SYS_sched_setscheduler, not_init}, {SYS_sched_setparam, not_init},
    {SYS_sched_setattr, not_init}};
enum { CHECKS = sizeof checks / sizeof checks[0], CHECKS_OF_ONE_ID = 6 };

/* ---- the tree ---- */

enum { ALLOWED = 0, DENIED = 0x10000, CHECKED = 0x20000 }; /* what becomes of a call: DENIED + errno, CHECKED + index */

struct range {
  uint32_t first;
  int fate;
};

static void decide(int *fates, const struct denial *denials, size_t count) {
  for (size_t i = 0; i < count; i++) fates[denials[i].call] = DENIED + denials[i].error;
}

static void answer(int fate) {
  if (fate == ALLOWED)
    ALLOW();
  else if (fate < CHECKED)
    ANSWER((uint32_t)(fate - DENIED));
  else
    checks[fate - CHECKED].code();
}

/* Binary search: a program's call costs 7 comparisons instead of 100, and the kernel, which walks the filter once for
 * every call number when it is installed, does so 20 times as fast. A conditional jump reaches 255 instructions only. */
static void search(const struct range *ranges, size_t count) {
  if (count == 1) {
    answer(ranges[0].fate);
    return;
  }
  size_t half = count / 2;
  bool near = half <= NEAR_RANGES;
  unsigned short jump = filter->length;
  SKIP(BPF_JGE, ranges[half].first, 0, near ? 0 : 1);
  if (!near) add((struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
  unsigned short from = filter->length;
  search(ranges, half);
  unsigned distance = (unsigned)(filter->length - from);
  if (near && distance > UINT8_MAX) refuse("the system call filter's tree is out of balance", "lower NEAR_RANGES and build again");
  if (near)
    filter->code[jump].jt = (uint8_t)distance;
  else
    filter->code[jump + 1].k = distance;
  search(ranges + half, count - half);
}

static void build_filter(int kind) {
  static int fates[NEWEST_KNOWN_CALL + 1];
  static struct range ranges[NEWEST_KNOWN_CALL + 1];
  size_t count = 0;
  filter = &filters[kind];
  filter->length = 0;
  memset(fates, 0, sizeof fates);
  decide(fates, everywhere, sizeof everywhere / sizeof everywhere[0]);
  if (kind != FOR_BOOTSTRAP) decide(fates, unless_bootstrap, sizeof unless_bootstrap / sizeof unless_bootstrap[0]);
  for (size_t i = 0; i < (one_id() ? CHECKS : CHECKS - CHECKS_OF_ONE_ID); i++) fates[checks[i].call] = CHECKED + (int)i;
  for (uint32_t call = 0; call <= NEWEST_KNOWN_CALL; call++)
    if (call == 0 || fates[call] != fates[call - 1]) ranges[count++] = (struct range){call, fates[call]};
  LOAD(offsetof(struct seccomp_data, arch));
  SKIP(BPF_JEQ, OUR_ARCHITECTURE, 1, 0);
  ANSWER(ENOSYS);
  LOAD(offsetof(struct seccomp_data, nr));
  SKIP(BPF_JGT, NEWEST_KNOWN_CALL, 0, 1); /* x32 numbers have bit 30 set: refused here too */
  ANSWER(ENOSYS);
  search(ranges, count);
  if (filter->length >= INSTRUCTIONS_MAX) refuse("the system call filter is too long", "raise INSTRUCTIONS_MAX and build again");
}

void build_filters(void) {
  for (int kind = 0; kind < FILTERS; kind++) build_filter(kind);
}

int install_filter(struct setup *setup) {
  int kind = runs_program(setup->profile) ? FOR_PROGRAMS : setup->profile == PROFILE_BOOTSTRAP ? FOR_BOOTSTRAP : FOR_BUILDS;
  struct sock_fprog installed = {.len = filters[kind].length, .filter = filters[kind].code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &installed) == 0 ? 0 : errno;
}
