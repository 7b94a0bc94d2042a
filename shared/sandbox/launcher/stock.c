/*
 * stock.c: how many prepared shells wait, what they lie upon, and who gets one. A shell is taken once and never comes back.
 * Some lie upon the layers of recent launches already, some upon none yet (bare): those serve whoever comes.
 * It never makes a launch wait for a refill of someone else: a taker without a ready shell gets one made for it.
 * What must stay true: refilling yields to launches in flight, unless the stock has nearly run out.
 */
#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STOCK_MIN = 2, MAKING_MAX = 4, LIMITS_PROCESSES_MIN = 8 };
#define PEAK_WINDOW_NS (10 * NS_PER_S)
#define RETRY_NS (NS_PER_S / 2)
#define LIMITS_MEMORY_MIN (UINT64_C(16) << 20) /* below, a shell of the stock could not even be made */

static struct shell *shells;
static uint64_t misses, retry_at, window_began;
static uint32_t peak, peak_before;   /* running launches: this window's and the last one's highest */
static struct cgroup_limits recent;  /* those of the latest launch: the next one's, most likely */
static uint8_t stocked;              /* that of the latest stranger's program: a launcher serves either layers or commands */
static bool proven;                  /* one shell was ready: this host can make them */

static bool is_idle(const struct shell *shell) {
  return shell->launch == NULL && shell->profile == stocked && shell->state < SHELL_TAKEN;
}

static bool is_ready(const struct shell *shell) { return shell->state == SHELL_READY || shell->state == SHELL_PREPARED; }

static uint32_t count(bool ready) {
  uint32_t found = 0;
  for (struct shell *shell = shells; shell != NULL; shell = shell->next) found += is_idle(shell) && is_ready(shell) == ready;
  return found;
}

static uint32_t count_bare(void) {
  uint32_t found = 0;
  for (struct shell *shell = shells; shell != NULL; shell = shell->next) found += is_idle(shell) && shell->chain == NULL;
  return found;
}

static unsigned count_upon(const char *chain) {
  unsigned found = 0;
  for (struct shell *shell = shells; shell != NULL; shell = shell->next)
    found += is_idle(shell) && shell->chain != NULL && strcmp(shell->chain, chain) == 0;
  return found;
}

uint32_t stock_wanted(void) {
  uint32_t wanted = peak > peak_before ? peak : peak_before;
  wanted += STOCK_MIN;
  return wanted > options.stock_max ? options.stock_max : wanted;
}

static void destroy(struct shell *shell) {
  shell->state = SHELL_OVER;
  shell_destroy(shell);
}

static void stock_profile(uint8_t profile) {
  if (stocked == profile) return;
  for (struct shell *shell = shells; shell != NULL; shell = shell->next)
    if (is_idle(shell)) destroy(shell);
  chain_forget_everything(); /* what one profile lies upon is nothing for another */
  stocked = profile;
}

/* One that lies upon what nobody asks for any more makes place. */
static void drop_stale(void) {
  for (struct shell *shell = shells; shell != NULL; shell = shell->next) {
    if (!is_idle(shell) || shell->chain == NULL || shell->state != SHELL_PREPARED || chain_demand(shell->chain) > 0) continue;
    destroy(shell);
    return;
  }
}

static struct shell *add(uint8_t profile, const struct cgroup_limits *limits) {
  struct shell *shell = shell_make(profile, limits);
  if (shell == NULL) return NULL;
  shell->next = shells;
  shells = shell;
  return shell;
}

static bool refill(void) {
  const char *chain = count_bare() == 0 ? NULL : chain_most_wanted(count_upon);
  struct shell *shell = add(stocked, &recent);
  if (shell == NULL) return false;
  shell->chain = chain == NULL ? NULL : strdup(chain);
  return true;
}

static void look_back(uint64_t now, uint32_t running) {
  if (now - window_began > PEAK_WINDOW_NS) {
    peak_before = peak;
    peak = 0;
    window_began = now;
  }
  if (running > peak) peak = running;
}

void stock_open(void) { stocked = options.stock_profile; }

void stock_keep_up(void) {
  uint64_t now = monotonic_ns();
  uint32_t running = launches_running();
  look_back(now, running);
  if (loop_stopping() || now < retry_at) return;
  uint32_t ready = count(true), making = count(false), wanted = stock_wanted();
  if (running > 0 && ready + making > 0 && ready + making >= wanted / 2) return;
  if (ready + making >= wanted) drop_stale();
  while (ready + making < wanted && making < MAKING_MAX) {
    if (!refill()) {
      log_errno("shell can't be made", "clone", errno);
      retry_at = now + RETRY_NS;
      return;
    }
    making++;
  }
}

/* How soon a launch could go in it; 0: never. */
static unsigned fitness(const struct shell *shell, const struct launch *launch) {
  if (shell->launch != NULL || shell->profile != launch->profile) return 0;
  bool same = launch->foreseeable && shell->chain != NULL && strcmp(shell->chain, launch->chain) == 0;
  switch (shell->state) {
    case SHELL_PREPARED: return same ? 4 : 0;
    case SHELL_READY: return 3;
    case SHELL_PREPARING: return same ? 2 : 0;
    case SHELL_MAKING: return 1;
    default: return 0;
  }
}

struct shell *stock_take(const struct launch *launch) {
  struct shell *best = NULL;
  struct cgroup_limits limits = {launch->message.LAUNCH_memoryBytes, launch->message.LAUNCH_processes, launch->message.LAUNCH_cpuShares};
  if (runs_program(launch->profile)) stock_profile(launch->profile);
  if (launch->foreseeable) {
    chain_remember(launch->chain);
    if (limits.memory_bytes >= LIMITS_MEMORY_MIN && limits.processes >= LIMITS_PROCESSES_MIN) recent = limits;
    for (struct shell *shell = shells; shell != NULL; shell = shell->next)
      if (fitness(shell, launch) > (best == NULL ? 0 : fitness(best, launch))) best = shell;
  }
  if (runs_program(launch->profile) && (best == NULL || !is_ready(best))) misses++;
  if (best == NULL) best = add(launch->profile, &(struct cgroup_limits){0});
  if (best != NULL && best->state == SHELL_MAKING) {
    free(best->chain); /* whatever it was planned for */
    best->chain = NULL;
  }
  return best;
}

static void prepare_ahead(struct shell *shell) {
  int trees[LAYERS_MAX];
  size_t trees_count = 0;
  int result = chain_trees(shell->chain, trees, &trees_count);
  struct word word = {.kind = WORD_PREPARE, .layers = (uint32_t)trees_count};
  for (const char *at = shell->chain; (at = strchr(at, '#')) != NULL; at++) word.kept++;
  if (result == 0) result = shell_prepare(shell, &word, trees, trees_count);
  for (size_t i = 0; i < trees_count; i++) close(trees[i]);
  if (result == 0) return;
  chain_forget_all(shell->chain); /* gone meanwhile: it stays bare */
  free(shell->chain);
  shell->chain = NULL;
  shell->state = SHELL_READY;
}

void stock_shell_ready(struct shell *shell) {
  proven = true;
  shell->state = SHELL_READY;
  if (shell->launch != NULL)
    launch_shell_ready(shell->launch);
  else if (shell->chain != NULL)
    prepare_ahead(shell);
}

void stock_shell_prepared(struct shell *shell) {
  shell->state = SHELL_PREPARED;
  if (shell->launch != NULL) launch_shell_prepared(shell->launch);
}

void stock_shell_failed(struct shell *shell, int step, int error) {
  static const char *const names[] = {[STEP_SHELL] = "namespaces", [STEP_IDS] = "user namespace and id maps", [STEP_CGROUP] = "cgroup",
                                      [STEP_NETWORK] = "network namespace", [STEP_LAYERS] = "layers", [STEP_OVERLAY] = "overlay",
                                      [STEP_MOUNTS] = "mounts", [STEP_PIVOT] = "change of root", [STEP_LIMITS] = "limits",
                                      [STEP_PRIVILEGES] = "privileges", [STEP_SECCOMP] = "system call filter"};
  char what[128];
  const char *name = step > 0 && step <= STEP_SECCOMP && names[step] != NULL ? names[step] : "step";
  snprintf(what, sizeof what, "preparing a sandbox failed at its %s: %s", name, strerror(error));
  if (!proven && rootless) refuse(what, "on Linux 6.6 or newer with user namespaces, overlayfs and idmapped tmpfs; or start us as root");
  if (!proven) refuse(what, "run as root on Linux 6.6 or newer with user namespaces, overlayfs and idmapped tmpfs; in a container, with --privileged");
  log_line(LOG_LEVEL_ERROR, "shell failed", "error", what);
  if (shell->chain != NULL) chain_forget_all(shell->chain);
  destroy(shell);
  retry_at = monotonic_ns() + RETRY_NS;
}

void stock_shell_gone(struct shell *gone) {
  for (struct shell **link = &shells; *link != NULL; link = &(*link)->next) {
    if (*link != gone) continue;
    *link = gone->next;
    return;
  }
}

static void forget(const char *line) {
  chain_forget(line);
  for (struct shell *shell = shells; shell != NULL; shell = shell->next)
    if (is_idle(shell) && shell->chain != NULL && chain_holds(shell->chain, line)) destroy(shell);
}

void stock_forget_layer(const char *name) { forget(name); }

void stock_forget_kept(uint64_t serial) {
  char line[32];
  snprintf(line, sizeof line, "#%llu", (unsigned long long)serial);
  forget(line);
}

uint32_t stock_ready_count(void) { return count(true); }
uint64_t stock_misses(void) { return misses; }

void stock_close(void) {
  for (struct shell *shell = shells; shell != NULL; shell = shell->next) shell_destroy(shell);
}

bool stock_empty(void) { return shells == NULL; }
