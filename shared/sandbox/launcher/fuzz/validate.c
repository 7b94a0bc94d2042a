/*
 * validate.c: a good LAUNCH of which some fields are replaced by anything; whatever validate_launch lets through is held
 * against its promise, said here a second time in other words.
 * It never asks whether something good was refused: the sandbox's tests do. What must stay true: this shares no code with
 * validate.c but the names of the limits.
 */
#include "fields.h"

static uint8_t layer_list[] = {4, 0, 0, 0, 'b', 'a', 's', 'e'}, argument_list[] = {7, 0, 0, 0, '/', 'b', 'i', 'n', '/', 's', 'h'};
static const uint8_t directory[] = "/environment/workspace";

static const struct message good = {
    .number = MESSAGE_LAUNCH, .LAUNCH_launch = 1, .LAUNCH_profile = PROFILE_EXECUTION,
    .LAUNCH_layers = {layer_list, sizeof layer_list, 1}, .LAUNCH_argv = {argument_list, sizeof argument_list, 1},
    .LAUNCH_directory = {directory, sizeof directory - 1}, .LAUNCH_cpuTimeMs = 1000, .LAUNCH_wallTimeMs = 1000,
    .LAUNCH_idleTimeMs = 1000, .LAUNCH_memoryBytes = 1 << 20, .LAUNCH_processes = 16, .LAUNCH_outputBytes = 4096,
    .LAUNCH_fileSizeBytes = 4096, .LAUNCH_openFiles = 64, .LAUNCH_stackBytes = 1 << 20, .LAUNCH_diskBytes = 1 << 20,
    .LAUNCH_diskInodes = 64, .LAUNCH_cpuShares = 1024};

static void replace(struct message *m, unsigned which, struct input *input) {
  unsigned field = 0;
#define FIELD(owner, type, name) \
  if ((int)MESSAGE_##owner == (int)MESSAGE_LAUNCH && field++ == which) take_##type(input, &m->owner##_##name);
#include "table.h"
}

static bool is_text(struct slice text) { return text.size == 0 || strnlen((const char *)text.data, text.size) == text.size; }

/* As the kernel would walk it: no part is empty or a way up. */
static void check_path(struct slice path, bool absolute) {
  insist(is_text(path) && path.size > 0 && path.size < 4096);
  char *text = slice_text(path), *rest = text;
  insist((text[0] == '/') == absolute);
  insist(strstr(text, "//") == NULL && (path.size == 1 || text[path.size - 1] != '/'));
  for (char *part; (part = strsep(&rest, "/")) != NULL;) insist(strcmp(part, "..") != 0 && strcmp(part, ".") != 0 && strlen(part) <= 255);
  free(text);
}

static void check_name(struct slice name) {
  insist(name.size > 0 && name.size <= 96 && is_text(name));
  for (uint32_t i = 0; i < name.size; i++) insist(strchr("abcdefghijklmnopqrstuvwxyz0123456789-", name.data[i]) != NULL);
}

static void check_texts(struct list list, bool names) {
  for (struct slice item; next_string(&list, &item);) {
    insist(is_text(item));
    if (names) check_name(item);
  }
}

static void check_files(struct list list, bool plain) {
  for (struct file_entry entry; next_file(&list, &entry);) {
    check_path(entry.path, false);
    insist(!plain || memchr(entry.path.data, '/', entry.path.size) == NULL);
  }
}

static void check(const struct message *m) {
  insist(m->LAUNCH_launch != 0 && m->LAUNCH_keep <= 1 && m->LAUNCH_stdinOpen <= 1 && m->LAUNCH_egress <= 1 && m->LAUNCH_terminal <= 1);
  insist((uint64_t)m->LAUNCH_layers.count + m->LAUNCH_kept.count <= LAYERS_MAX && m->LAUNCH_argv.count > 0);
  check_texts(m->LAUNCH_layers, true);
  check_texts(m->LAUNCH_argv, false);
  check_texts(m->LAUNCH_environment, false);
  check_texts(m->LAUNCH_collect, false);
  check_path(m->LAUNCH_directory, true);
  check_files(m->LAUNCH_files, false);
  check_files(m->LAUNCH_systemFiles, true);
  if (m->LAUNCH_target.size > 0) check_name(m->LAUNCH_target);
  char *cpus = slice_text(m->LAUNCH_cpus);
  insist(m->LAUNCH_cpus.size <= 256 && strspn(cpus, "0123456789,-") == m->LAUNCH_cpus.size);
  free(cpus);
  const uint64_t times[] = {m->LAUNCH_cpuTimeMs, m->LAUNCH_wallTimeMs, m->LAUNCH_idleTimeMs};
  for (size_t i = 0; i < 3; i++) insist(times[i] > 0 && times[i] <= INT64_MAX / NS_PER_MS);
  const uint64_t sizes[] = {m->LAUNCH_memoryBytes, m->LAUNCH_processes, m->LAUNCH_outputBytes, m->LAUNCH_fileSizeBytes, m->LAUNCH_openFiles,
                            m->LAUNCH_stackBytes, m->LAUNCH_diskBytes, m->LAUNCH_diskInodes, m->LAUNCH_cpuShares};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) insist(sizes[i] > 0 && sizes[i] <= INT64_MAX / 2 + 1);
  insist(m->LAUNCH_outputWindowBytes <= INT64_MAX / 2 + 1);
  insist(m->LAUNCH_openFiles <= 1 << 20 && m->LAUNCH_processes <= 1 << 22 && m->LAUNCH_terminalRows <= 65535 && m->LAUNCH_terminalColumns <= 65535);
}

/* What is asked of a good launch before a sandbox is taken for it. */
static void check_use(const struct message *m) {
  static struct client client;
  const struct launch launch = {.client = &client, .message = *m};
  unsigned cores = cores_of(m);
  insist(cores >= 1 && cores <= m->LAUNCH_processes);
  char *chain = chain_of(&launch);
  insist(m->LAUNCH_kept.count == 0 || chain == NULL); /* this client kept nothing */
  struct list layers = m->LAUNCH_layers;
  for (struct slice name; chain != NULL && next_string(&layers, &name);) {
    char *line = slice_text(name);
    insist(chain_holds(chain, line));
    free(line);
  }
  chain_foreseeable(&launch);
  free(chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, data + size};
  struct message launch = good, decoded;
  for (unsigned changes = 0; changes < 6 && input.at < input.end; changes++) replace(&launch, take_u8(&input) % 64, &input);
  struct bytes frame = {0};
  encode_message(&launch, &frame);
  insist(decode_message(frame.data + frame.start + 4, frame.end - frame.start - 4, &decoded));
  int error = validate_launch(&decoded);
  insist(error >= 0);
  if (error == 0) check(&decoded);
  if (error == 0) check_use(&decoded);
  insist(size > 0 || error == 0);
  bytes_free(&frame);
  release_fields();
  return 0;
}
