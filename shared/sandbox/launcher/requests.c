/*
 * requests.c: what each frame of a client asks for.
 * It never lets a store operation that may block run here: those go to a child or to the sweeper.
 * What must stay true: HELLO with our version comes first; every request with a number is answered exactly once.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

struct commit { /* a LAYER_COMMIT that syncs in a child */
  struct child child;
  struct client *client; /* NULL: gone by now */
  uint64_t request;
  char *name; /* of what is committed; its connection's again when that fails */
  struct commit *next;
};
static struct commit *commits;

static bool greet(struct client *client, const struct message *hello) {
  struct utsname system;
  if (hello->number != MESSAGE_HELLO || hello->HELLO_version != CONTRACT_VERSION_NUMBER || client->greeted) return false;
  client->greeted = true;
  uname(&system);
  client_send(client, &(struct message){.number = MESSAGE_WELCOME,
                                        .WELCOME_version = CONTRACT_VERSION_NUMBER,
                                        .WELCOME_cgroup = cgroup->name,
                                        .WELCOME_cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
                                        .WELCOME_memoryBytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
                                        .WELCOME_kernel = {(const uint8_t *)system.release, (uint32_t)strlen(system.release)},
                                        .WELCOME_release = {(const uint8_t *)RELEASE, sizeof RELEASE - 1},
                                        .WELCOME_rootless = rootless,
                                        .WELCOME_missing = missing_names()});
  return true;
}

static void done(struct client *client, uint64_t request, int result) {
  client_send(client, &(struct message){.number = MESSAGE_DONE, .DONE_request = request,
                                        .DONE_step = result == 0 ? STEP_NONE : STEP_STORE, .DONE_errorNumber = -result});
}

/* Of a layer that is only being made from then on, or no more. */
static int with_name(struct client *client, struct slice name, int (*operation)(const char *), void (*note)(struct client *, const char *)) {
  if (!layer_name_ok(name)) return -EINVAL;
  char *text = slice_text(name);
  int result = operation(text);
  if (result == 0) note(client, text);
  free(text);
  return result;
}

static void commit_ended(struct child *child, int status) {
  struct commit *commit = (struct commit *)child;
  for (struct commit **link = &commits; *link != NULL; link = &(*link)->next) {
    if (*link != commit) continue;
    *link = commit->next;
    break;
  }
  int result = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
  if (commit->client == NULL && result != 0) discard_layer(commit->name);
  if (commit->client != NULL && result != 0) making_add(commit->client, commit->name);
  if (commit->client != NULL) done(commit->client, commit->request, result);
  free(commit->name);
  free(commit);
}

static void commit_layer(struct client *client, const struct message *m) {
  if (!layer_name_ok(m->LAYER_COMMIT_layer) || !layer_name_ok(m->LAYER_COMMIT_to) || m->LAYER_COMMIT_form > FORM_IMAGE) {
    done(client, m->LAYER_COMMIT_request, -EINVAL);
    return;
  }
  struct commit *commit = calloc(1, sizeof *commit);
  char *name = slice_text(m->LAYER_COMMIT_layer), *to = slice_text(m->LAYER_COMMIT_to);
  pid_t pid = commit == NULL ? -1 : clone_process(0, -1, NULL);
  if (pid == 0) _exit(-store_publish(name, to, m->LAYER_COMMIT_form == FORM_IMAGE));
  free(to);
  if (pid < 0) {
    done(client, m->LAYER_COMMIT_request, -errno);
    free(name);
    free(commit);
    return;
  }
  making_forget(client, name);
  commit->name = name;
  commit->client = client;
  commit->request = m->LAYER_COMMIT_request;
  commit->next = commits;
  commits = commit;
  watch_child(&commit->child, pid, commit_ended);
}

void requests_orphan(const struct client *client) {
  for (struct commit *commit = commits; commit != NULL; commit = commit->next)
    if (commit->client == client) commit->client = NULL;
}

static void list_layers(struct client *client, uint64_t request) {
  struct bytes names = {0};
  uint32_t count = store_list(&names);
  client_send(client, &(struct message){.number = MESSAGE_LAYERS, .LAYERS_request = request,
                                        .LAYERS_layers = {names.data + names.start, (uint32_t)(names.end - names.start), count}});
  bytes_free(&names);
}

static void tell_gauges(struct client *client, uint64_t request) {
  char text[128];
  unsigned long long pages = 0;
  if (read_text(AT_FDCWD, "/proc/self/statm", text, sizeof text) > 0) sscanf(text, "%*u %llu", &pages);
  client_send(client, &(struct message){.number = MESSAGE_GAUGES,
                                        .GAUGES_request = request,
                                        .GAUGES_stock = stock_ready_count(),
                                        .GAUGES_running = launches_running(),
                                        .GAUGES_kept = kept_count(),
                                        .GAUGES_launches = launches_total,
                                        .GAUGES_stockMisses = stock_misses(),
                                        .GAUGES_stockWanted = stock_wanted(),
                                        .GAUGES_sweeping = sweeper_waiting(),
                                        .GAUGES_residentBytes = pages * (uint64_t)sysconf(_SC_PAGESIZE)});
}

static bool take_input(struct client *client, const struct message *m) {
  struct launch *launch = find_launch(client, m->STDIN_launch);
  if (launch == NULL) return true; /* it ended while this was on its way */
  if (m->STDIN_last > 1) return false;
  return input_accept(launch, m->STDIN_data, m->STDIN_last == 1);
}

static void kill_launch(struct client *client, uint64_t number) {
  struct launch *launch = find_launch(client, number);
  if (launch != NULL) launch_kill(launch, END_CLIENT);
}

static void resize(struct client *client, const struct message *m) {
  struct launch *launch = find_launch(client, m->RESIZE_launch);
  if (launch != NULL) terminal_resize(launch, m->RESIZE_rows, m->RESIZE_columns);
}

static void signal_terminal(struct client *client, const struct message *m) {
  struct launch *launch = find_launch(client, m->SIGNAL_launch);
  if (launch != NULL) terminal_signal(launch, m->SIGNAL_signal);
}

static void credit_output(struct client *client, const struct message *m) {
  struct launch *launch = find_launch(client, m->OUTPUT_CREDIT_launch);
  if (launch != NULL) streams_credit(launch, m->OUTPUT_CREDIT_bytes);
}

bool handle_request(struct client *client, const uint8_t *frame, size_t size) {
  struct message m;
  if (!decode_message(frame, size, &m)) return false;
  if (!client->greeted) return greet(client, &m);
  switch (m.number) {
    case MESSAGE_LAUNCH: launch_begin(client, frame, size, &m); return true;
    case MESSAGE_STDIN: return take_input(client, &m);
    case MESSAGE_KILL: kill_launch(client, m.KILL_launch); return true;
    case MESSAGE_RESIZE: resize(client, &m); return true;
    case MESSAGE_SIGNAL: signal_terminal(client, &m); return true;
    case MESSAGE_OUTPUT_CREDIT: credit_output(client, &m); return true;
    case MESSAGE_RELEASE: if (m.RELEASE_launch != 0) release_kept(client, m.RELEASE_launch); return true;
    case MESSAGE_LAYER_CREATE: done(client, m.LAYER_CREATE_request, with_name(client, m.LAYER_CREATE_layer, store_create, making_add)); return true;
    case MESSAGE_LAYER_REMOVE: done(client, m.LAYER_REMOVE_request, with_name(client, m.LAYER_REMOVE_layer, store_remove, making_forget)); return true;
    case MESSAGE_LAYER_COMMIT: commit_layer(client, &m); return true;
    case MESSAGE_LAYER_LIST: list_layers(client, m.LAYER_LIST_request); return true;
    case MESSAGE_GAUGES_ASK: tell_gauges(client, m.GAUGES_ASK_request); return true;
    default: return false;
  }
}
