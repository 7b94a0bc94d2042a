/*
 * Reboots, swaps, loads modules, sets clocks and names.
 */
#include "../attack.h"

int main(void) {
  struct timespec now = {0};
  char timex[256] = {0};
  TRY("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0x1234567, 0));
  TRY("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
  TRY("module", syscall(SYS_init_module, "", 0, ""));
  TRY("module file", syscall(SYS_finit_module, 0, "", 0));
  TRY("swapon", syscall(SYS_swapon, "/tmp", 0));
  TRY("acct", syscall(SYS_acct, 0));
  TRY("clock", clock_settime(CLOCK_REALTIME, &now));
  TRY("adjust", syscall(SYS_adjtimex, timex));
  TRY("name", sethostname("x", 1));
  TRY("syslog", syscall(SYS_syslog, 3, timex, 200));
  TRY("hangup", syscall(SYS_vhangup));
  TRY("quota", syscall(SYS_quotactl, 0, 0, 0, 0));
  return 0;
}
