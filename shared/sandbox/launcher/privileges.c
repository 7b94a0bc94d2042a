/*
 * privileges.c: from real root with a prepared file tree to the program's user inside its user namespace.
 * It never keeps a capability outside that namespace: mounts, network, pid, ipc and uts namespaces belong to the initial
 * one, so root inside a build has no power over them. What must stay true: after this no step can give anything back.
 */
#include "launcher.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

/* What apt, dpkg, tar and daemons' set-up need to own files and to switch users inside 65,536 private ids. */
#define BUILD_CAPABILITIES                                                                                                  \
  (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |   \
   BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_SETFCAP) | \
   BIT(CAP_AUDIT_WRITE))

static uint64_t kept_capabilities(uint8_t profile) {
  if (profile == PROFILE_EXECUTION || profile == PROFILE_COMMAND) return 0;
  if (profile == PROFILE_BOOTSTRAP) return BUILD_CAPABILITIES | BIT(CAP_SYS_ADMIN) | BIT(CAP_MKNOD);
  return BUILD_CAPABILITIES;
}

bool runs_program(uint8_t profile) { return profile == PROFILE_EXECUTION || profile == PROFILE_COMMAND; }
uint32_t program_user(uint8_t profile) { return runs_program(profile) ? PROGRAM_USER_ID : 0; }

static int narrow_capabilities(uint64_t kept) {
  for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    if ((kept & BIT(capability)) == 0 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return errno;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno;
  unsigned long bits = SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (kept == 0) bits |= SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
  return prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) == 0 ? 0 : errno;
}

static int reset_signals(void) {
  struct sigaction plain = {.sa_handler = SIG_DFL};
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; number++)
    if (number != SIGKILL && number != SIGSTOP) sigaction(number, &plain, NULL); /* libc keeps two numbers for itself */
  return sigprocmask(SIG_SETMASK, &none, NULL) == 0 ? 0 : errno;
}

/* Ahead of time: what is left is the set of capabilities over our own user namespace, until the program's files are written. */
int become_program(struct setup *setup) {
  uint32_t user = program_user(setup->profile);
  umask(022);
  if (setsid() < 0 && errno != EPERM) return errno;
  int error = reset_signals();
  if (error != 0) return error;
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL); /* ours must not be seen; a kernel without keyrings is fine */
  if (setgroups(0, NULL) != 0 && !one_id()) return errno;
  error = enter_user_namespace(setup->base, setup->proc, setup->line);
  if (error != 0) return error;
  if (setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0) return errno;
  error = narrow_capabilities(kept_capabilities(setup->profile));
  if (error != 0) return error;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

int drop_capabilities(struct setup *setup) {
  uint64_t kept = kept_capabilities(setup->profile);
  /* mmdebstrap mounts and changes root: it gets a copy of the mounts in a namespace that its own user namespace owns. */
  if (setup->profile == PROFILE_BOOTSTRAP && unshare(CLONE_NEWNS) != 0) return errno;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{.effective = (uint32_t)kept, .permitted = (uint32_t)kept},
                                           {.effective = (uint32_t)(kept >> 32), .permitted = (uint32_t)(kept >> 32)}};
  return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}
