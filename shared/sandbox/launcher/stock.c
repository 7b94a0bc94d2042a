/*
 * stock.c: how many prepared shells wait, and who gets one. A shell is taken once and never comes back.
 * It never makes a launch wait for a refill of someone else: a taker without a ready shell gets one made for it.
 * What must stay true: refilling yields to launches in flight, unless the stock has nearly run out.
 */
#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STOCK_MIN = 2, MAKING_MAX = 4 };
#define PEAK_WINDOW_NS (10 * NS_PER_S)
#define RETRY_NS (NS_PER_S / 2)

static struct shell *shells;
static uint64_t misses, retry_at, window_began;
static uint32_t peak, peak_before; /* running launches: this window's and the last one's highest */
static bool proven;                /* one shell was ready: this host can make them */

static uint32_t count(enum shell_state state) {
  uint32_t found = 0;
  for (struct shell *shell = shells; shell != NULL; shell = shell->next)
    if (shell->state == state && shell->launch == NULL && shell->profile == PROFILE_EXECUTION) found++;
  return found;
}

static uint32_t target(void) {
  uint32_t wanted = peak > peak_before ? peak : peak_before;
  wanted += STOCK_MIN;
  return wanted > options.stock_max ? options.stock_max : wanted;
}

static void add(struct shell *shell) {
  shell->next = shells;
  shells = shell;
}

void stock_keep_up(void) {
  uint64_t now = monotonic_ns();
  if (now - window_began > PEAK_WINDOW_NS) {
    peak_before = peak;
    peak = 0;
    window_began = now;
  }
  uint32_t running = launches_running();
  if (running > peak) peak = running;
  if (loop_stopping() || now < retry_at) return;
  uint32_t ready = count(SHELL_READY), making = count(SHELL_MAKING), wanted = target();
  if (running > 0 && ready + making > 0 && ready + making >= wanted / 2) return;
  while (ready + making < wanted && making < MAKING_MAX) {
    struct shell *shell = shell_make(PROFILE_EXECUTION);
    if (shell == NULL) {
      log_errno("shell can't be made", "clone", errno);
      retry_at = now + RETRY_NS;
      return;
    }
    add(shell);
    making++;
  }
}

struct shell *stock_take(uint8_t profile) {
  struct shell *shell = NULL;
  if (profile == PROFILE_EXECUTION)
    for (struct shell *candidate = shells; candidate != NULL; candidate = candidate->next)
      if (candidate->state == SHELL_READY && candidate->launch == NULL && candidate->profile == profile) shell = candidate;
  if (shell != NULL) return shell;
  if (profile == PROFILE_EXECUTION) misses++;
  shell = shell_make(profile);
  if (shell != NULL) add(shell);
  return shell;
}

void stock_shell_ready(struct shell *shell) {
  proven = true;
  shell->state = SHELL_READY;
  if (shell->launch != NULL) launch_shell_ready(shell->launch);
}

void stock_shell_failed(struct shell *shell, int step, int error) {
  static const char *const names[] = {[STEP_SHELL] = "namespaces", [STEP_IDS] = "user namespace and id maps", [STEP_CGROUP] = "cgroup",
                                      [STEP_NETWORK] = "network namespace", [STEP_MOUNTS] = "mounts"};
  char what[128];
  const char *name = step > 0 && step <= STEP_MOUNTS && names[step] != NULL ? names[step] : "step";
  snprintf(what, sizeof what, "preparing a sandbox failed at its %s: %s", name, strerror(error));
  if (!proven) refuse(what, "run as root on Linux 6.6 or newer with user namespaces, overlayfs and idmapped tmpfs; in a container, with --privileged");
  log_line(LOG_LEVEL_ERROR, "shell failed", "error", what);
  shell->state = SHELL_OVER;
  retry_at = monotonic_ns() + RETRY_NS;
}

void stock_shell_gone(struct shell *gone) {
  for (struct shell **link = &shells; *link != NULL; link = &(*link)->next) {
    if (*link != gone) continue;
    *link = gone->next;
    return;
  }
}

uint32_t stock_ready_count(void) { return count(SHELL_READY); }
uint64_t stock_misses(void) { return misses; }

void stock_close(void) {
  for (struct shell *shell = shells; shell != NULL; shell = shell->next) shell_destroy(shell);
}

bool stock_empty(void) { return shells == NULL; }
