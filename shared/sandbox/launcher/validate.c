/*
 * validate.c: is every field of a LAUNCH in its range, before anything is done about it.
 * It never repairs a value. What must stay true: whatever passes here can be put into a C string, a mount option, a
 * cgroup file and an rlimit without changing its meaning.
 */
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX (UINT64_C(1) << 62)
enum { NAME_BYTES_MAX = 96, CPUS_BYTES_MAX = 256 };

static bool text_ok(struct slice text) { return text.size == 0 || memchr(text.data, '\0', text.size) == NULL; }

static bool strings_ok(struct list list) {
  struct slice item;
  while (next_string(&list, &item))
    if (!text_ok(item)) return false;
  return true;
}

bool layer_name_ok(struct slice name) {
  if (name.size == 0 || name.size > NAME_BYTES_MAX) return false;
  for (uint32_t i = 0; i < name.size; i++) {
    uint8_t byte = name.data[i];
    if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-')) return false;
  }
  static const char *const taken[] = {"incoming", "images", "trash"}; /* directories of the store's own */
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
    if (name.size == strlen(taken[i]) && memcmp(name.data, taken[i], name.size) == 0) return false;
  return true;
}

/* No empty part, no "." and no "..": every part names something below. */
static bool parts_ok(struct slice path) {
  for (uint32_t at = 0; at <= path.size;) {
    uint32_t end = at;
    while (end < path.size && path.data[end] != '/') end++;
    uint32_t length = end - at;
    if (length == 0 || length > 255 || (length <= 2 && memcmp("..", path.data + at, length) == 0)) return false;
    at = end + 1;
  }
  return true;
}

bool relative_ok(struct slice path) { return path.size > 0 && path.size <= PATH_BYTES_MAX && text_ok(path) && parts_ok(path); }

static bool directory_ok(struct slice path) {
  if (path.size == 0 || path.size > PATH_BYTES_MAX || path.data[0] != '/' || !text_ok(path)) return false;
  struct slice rest = {path.data + 1, path.size - 1};
  return rest.size == 0 || parts_ok(rest);
}

static bool files_ok(struct list list, bool plain) {
  struct file_entry entry;
  while (next_file(&list, &entry))
    if (!relative_ok(entry.path) || (plain && memchr(entry.path.data, '/', entry.path.size) != NULL)) return false;
  return true;
}

static bool layers_ok(struct list list) {
  struct slice item;
  while (next_string(&list, &item))
    if (!layer_name_ok(item)) return false;
  return true;
}

static bool cpus_ok(struct slice cpus) {
  for (uint32_t i = 0; i < cpus.size; i++)
    if (!((cpus.data[i] >= '0' && cpus.data[i] <= '9') || cpus.data[i] == ',' || cpus.data[i] == '-')) return false;
  return cpus.size <= CPUS_BYTES_MAX;
}

static bool numbers_ok(const struct message *m) {
  const uint64_t numbers[] = {m->LAUNCH_cpuTimeMs, m->LAUNCH_wallTimeMs, m->LAUNCH_idleTimeMs, m->LAUNCH_memoryBytes,
                              m->LAUNCH_processes, m->LAUNCH_outputBytes, m->LAUNCH_fileSizeBytes, m->LAUNCH_openFiles,
                              m->LAUNCH_stackBytes, m->LAUNCH_diskBytes, m->LAUNCH_diskInodes, m->LAUNCH_cpuShares};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    if (numbers[i] == 0 || numbers[i] > NUMBER_MAX) return false;
  const uint64_t years = NUMBER_MAX / NS_PER_MS;
  return m->LAUNCH_cpuTimeMs <= years && m->LAUNCH_wallTimeMs <= years && m->LAUNCH_idleTimeMs <= years &&
         m->LAUNCH_processes <= 4194304 && m->LAUNCH_openFiles <= 1048576 && m->LAUNCH_cpuShares >= 2 && m->LAUNCH_cpuShares <= 262144;
}

/* mount_workspace puts it into the options of a mount. */
static bool option_ok(struct slice path) {
  for (uint32_t i = 0; i < path.size; i++)
    if (path.data[i] == ',' || path.data[i] == ':' || path.data[i] == '\\') return false;
  return path.size > 1;
}

static bool layers_fit_profile(const struct message *m) {
  if (!profile_has_host_view(m->LAUNCH_profile)) return m->LAUNCH_layers.count > 0;
  if (m->LAUNCH_layers.count > 0) return false;
  return m->LAUNCH_profile == PROFILE_COMMAND ? option_ok(m->LAUNCH_directory) : m->LAUNCH_kept.count == 0;
}

static bool profile_ok(const struct message *m) {
  bool host = m->LAUNCH_profile == PROFILE_HOST;
  if (m->LAUNCH_profile < PROFILE_EXECUTION || m->LAUNCH_profile > PROFILE_COMMAND || !layers_fit_profile(m)) return false;
  if (!host && (m->LAUNCH_target.size > 0 || m->LAUNCH_capture != 0)) return false;
  if (m->LAUNCH_target.size > 0 && (m->LAUNCH_capture != 0 || !layer_name_ok(m->LAUNCH_target))) return false;
  bool may_reach_out = m->LAUNCH_profile == PROFILE_BUILD || m->LAUNCH_profile == PROFILE_BOOTSTRAP;
  return m->LAUNCH_egress <= 1 && (m->LAUNCH_egress == 0 || may_reach_out);
}

static bool terminal_ok(const struct message *m) {
  bool none = m->LAUNCH_terminalRows == 0 && m->LAUNCH_terminalColumns == 0;
  bool sized = m->LAUNCH_terminalRows - 1 < UINT16_MAX && m->LAUNCH_terminalColumns - 1 < UINT16_MAX;
  return m->LAUNCH_terminal == 0 ? none : m->LAUNCH_terminal == 1 && sized;
}

static bool collect_ok(const struct message *m) {
  return m->LAUNCH_collect.count <= PATTERNS_MAX && patterns_ok(m->LAUNCH_collect) && m->LAUNCH_collectBytesMax <= NUMBER_MAX;
}

int validate_launch(const struct message *m) {
  if (m->LAUNCH_layers.count > LAYERS_MAX || m->LAUNCH_kept.count > LAYERS_MAX - m->LAUNCH_layers.count) return E2BIG;
  bool ok = m->LAUNCH_launch != 0 && profile_ok(m) && numbers_ok(m) && m->LAUNCH_keep <= 1 && m->LAUNCH_stdinOpen <= 1;
  ok = ok && layers_ok(m->LAUNCH_layers) && m->LAUNCH_argv.count > 0 && strings_ok(m->LAUNCH_argv) && strings_ok(m->LAUNCH_environment);
  ok = ok && directory_ok(m->LAUNCH_directory) && files_ok(m->LAUNCH_files, false) && files_ok(m->LAUNCH_systemFiles, true);
  ok = ok && m->LAUNCH_outputWindowBytes <= NUMBER_MAX;
  return ok && cpus_ok(m->LAUNCH_cpus) && terminal_ok(m) && collect_ok(m) ? 0 : EINVAL;
}
