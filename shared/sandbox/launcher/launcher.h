/*
 * launcher.h: the whole program on one page (frames in contract.h, cgroups in cgroup.h, layers in store.h, a shell's own processes in inside.h); main.c tells how it works.
 * Three kinds of process run this code: the launcher (one, resident, never blocked), the init of a sandbox's pid
 * namespace (ours, one per shell) and the payload until its exec. A section below says which of them may call it.
 * What must stay true: nothing here is shared between them but descriptors and the structs "note" and "order".
 */
#ifndef ENVICUTOR_LAUNCHER_H
#define ENVICUTOR_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef RELEASE
#define RELEASE "unknown"
#endif

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define IDS_DIRECTORY "/run/envicutor-ids"

enum {
  PATH_BYTES_MAX = 4095,
  OPEN_FILES_PLENTY = 65536,  /* a hard limit below is told: launches may ask for more */
  EXIT_REFUSED = 78,          /* this host can't do it; the message names the remedy */
  LAYERS_MAX = 64,            /* store layers and kept layers of one launch */
  SPACE_OWN_INODES = 128,     /* room in the tmpfs for our directories, devices, mount points and system files, until they are counted */
  SPACE_OWN_BYTES = 1 << 20,  /* the same in bytes: larger system files are given room first */
  ORDER_INLINE_MAX = 32768,   /* a larger LAUNCH frame goes to the payload in a memfd */
  QUEUE_PAUSE_BYTES = 1 << 20, /* bytes waiting for a slow client above which pipes are no longer read */
  STREAMS = 4                 /* stdout (or the terminal), stderr, egress records, collected files */
};

/* ---- contract.c, bytes.c: frames; every process; see contract.h -------------------------------------------------- */

#include "contract.h"

/* ---- validate.c: is every field of a LAUNCH in its range ------------------------------------------------------- */

int validate_launch(const struct message *message); /* 0 or an errno */
bool layer_name_ok(struct slice name);
bool relative_ok(struct slice path); /* every part names something below */

/* ---- log.c, kernel.c: JSON lines on stderr; clocks and system calls that libc lacks ---------------------------- */

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
void log_line(enum log_level level, const char *message, const char *name, const char *value);
void log_errno(const char *message, const char *what, int error);
_Noreturn void refuse(const char *sentence, const char *remedy);

uint64_t monotonic_ns(void);
uint64_t realtime_ns(void);
uint64_t process_cpu_ns(void);
pid_t clone_process(uint64_t flags, int cgroup, int *pidfd); /* like fork; cgroup < 0: the parent's; pidfd may be NULL */
int open_beneath(int directory, const char *path, uint64_t flags, mode_t mode, bool in_root);
int write_text(int directory, const char *path, const char *text); /* 0 or -errno */
int64_t read_number(int directory, const char *path);              /* -errno when unreadable */
uint64_t counter_value(int file, const char *key); /* of the line "key N", or of the whole when key is ""; 0 when there is none */
ssize_t read_text(int directory, const char *path, char *into, size_t size);
void close_descriptor(int *descriptor);
int send_packet(int socket, const void *data, size_t size, const int *descriptors, size_t count);
ssize_t receive_packet(int socket, void *data, size_t size, int *descriptors, size_t *count, int flags);

/* ---- loop.c: the launcher's event loop ------------------------------------------------------------------------- */

struct source {
  int descriptor; /* -1: not watched */
  void (*ready)(struct source *source, uint32_t events);
};

struct child { /* a process that we started and must reap */
  pid_t pid;
  void (*ended)(struct child *child, int status);
  struct child *next;
};

void loop_open(void);
void loop_run(void); /* returns after loop_stop */
void loop_stop(void);
bool loop_stopping(void);
void loop_turn(int timeout_ms); /* one batch, for the end */
void watch(struct source *source, int descriptor, uint32_t events, void (*ready)(struct source *, uint32_t));
void watch_for(struct source *source, uint32_t events); /* 0: not at all, until called again */
void unwatch(struct source *source); /* and close */
void watch_child(struct child *child, pid_t pid, void (*ended)(struct child *, int));
void free_later(void *memory); /* after the current batch of events */

/* ---- main.c ---------------------------------------------------------------------------------------------------- */

struct options {
  const char *socket, *store, *root_layer, *cgroup_name, *cgroup_path, *egress_command;
  int descriptor; /* --fd, or -1 */
  uid_t client_uid;
  unsigned stock_max;
  uint8_t stock_profile; /* PROFILE_* */
};
extern struct options options;
void options_read(int argc, char **argv);
extern const char *stage_directory; /* ours: kept layers and the template are mounted below it */
extern bool devices_bound;           /* devices can't be made here: the host's are shown */

/* ---- rootless.c, subids.c: what differs when an ordinary user started us; missing.c: what this host can't give --- */

extern bool rootless;
void rootless_open(char **argv); /* without root: executes us again in a user namespace of our own */
bool map_subordinate_ids(pid_t pid);
bool one_id(void);               /* rootless without subordinate ids */
bool profile_needs_ids(uint8_t profile);
uint32_t outside_id(uint32_t base, uint32_t inside); /* in our own user namespace */
uint32_t owner_id(uint32_t base);                    /* of a sandbox's user namespace */
void id_map(uint32_t base, char *into, size_t size);
int stage_devices(void); /* template: 0 or an errno, as the next two */
int stage_proc(void);
int bind_devices(const char *directory);
void missing(const char *name);
struct list missing_names(void);

/* ---- ids.c: ranges of host ids (launcher), the user namespace that maps one (init) ----------------------------- */

struct id_range {
  uint32_t base;
  int lock;
};
int claim_range(struct id_range *into); /* 0 or -errno */
void release_range(struct id_range *range);
int enter_user_namespace(uint32_t base, int proc, int line);      /* payload: 0 or an errno */
int map_user_namespace(uint32_t base, int proc, int pidfd, int line); /* init, while the payload enters: descriptor or -errno */

#include "cgroup.h"
#include "store.h"

/* ---- stock.c, shell.c: prepared sandboxes (launcher) ----------------------------------------------------------- */

enum note_kind { NOTE_READY = 1, NOTE_EGRESS, NOTE_PREPARED, NOTE_FAILED, NOTE_ABOUT_TO_EXEC, NOTE_STARTED, NOTE_ENDED };

struct note { /* payload to init (ABOUT_TO_EXEC in memory that they share), init to launcher; READY brings space and the OOM event, EGRESS three sockets */
  uint32_t kind;
  int32_t step, error;          /* FAILED */
  int32_t status;               /* ENDED: wait status of the program */
  uint64_t monotonic, realtime; /* STARTED, ENDED */
  uint64_t exec_ns;             /* STARTED */
  uint64_t exec_at;             /* STARTED: the payload's own clock before exec */
  uint64_t cpu_ns, user_ns, system_ns, voluntary, involuntary; /* STARTED: what setting up cost; ENDED: all children */
};

struct order { /* launcher to payload; the LAUNCH frame follows inline or lies in a memfd (last descriptor) */
  uint32_t size;
  uint64_t sent; /* monotonic */
  uint8_t pinned, terminal, in_memfd; /* each brings a descriptor, in this order: a cpuset to enter, the program's side */
};

enum word_kind { WORD_KILL = 1, WORD_PREPARE, WORD_GO_ON, WORD_SIGNAL };

struct word { /* launcher to init; PREPARE: detached mounts beside it: layers, kept, target or capture */
  uint32_t kind, layers, kept; /* the last `kept` of the layers */
  uint8_t target, capture, egress, terminal;
  uint8_t signal; /* SIGNAL */
  char directory[PATH_BYTES_MAX + 1]; /* COMMAND with kept layers; the packet ends with its text */
};

struct launch;
enum shell_state { SHELL_MAKING, SHELL_READY, SHELL_PREPARING, SHELL_PREPARED, SHELL_TAKEN, SHELL_OVER };

struct shell {
  struct child init; /* first member: the child's callback casts */
  struct source notes;
  int orders;
  enum shell_state state;
  uint8_t profile;
  uint64_t number;
  struct id_range range;
  int pipes[3]; /* our ends of the program's 0, 1, 2; -1 once a launch has taken them */
  int space;                 /* detached mount of the writable layer's tmpfs, canonical ids */
  int oom;                   /* its cgroup's event; -1 once a launch has taken it */
  int counters[CGROUP_COUNTERS];
  struct cgroup_limits limits; /* as its init set them */
  char *chain;               /* what it lies upon or will, NULL: nothing yet */
  struct launch *launch;
  struct shell *next;
};

struct shell *shell_make(uint8_t profile, const struct cgroup_limits *limits); /* NULL and errno; becomes ready by stock_shell_ready */
int shell_prepare(struct shell *shell, const struct word *word, const int *trees, size_t count); /* 0 or -errno; stock_shell_prepared follows */
void shell_signal(struct shell *shell, uint8_t number); /* the foreground of its terminal */
void shell_kill(struct shell *shell);      /* orderly: init kills everyone and reports */
void shell_destroy(struct shell *shell);   /* init itself is killed */

void stock_open(void);
void stock_keep_up(void);                       /* refill; called when the loop is idle */
struct shell *stock_take(const struct launch *launch); /* prepared, ready or being made for this taker, NULL and errno */
void stock_shell_ready(struct shell *shell);
void stock_shell_prepared(struct shell *shell);
void stock_shell_failed(struct shell *shell, int step, int error);
void stock_shell_gone(struct shell *shell);
bool stock_empty(void);
void stock_forget_layer(const char *name); /* nothing prepared may hold on to a layer that goes */
void stock_forget_kept(uint64_t serial);
uint32_t stock_ready_count(void);
uint32_t stock_wanted(void);
uint64_t stock_misses(void);
void stock_close(void);

/* ---- chains.c: what launches lie upon; which of it the stock should foresee ------------------------------------ */

char *chain_of(const struct launch *launch); /* NULL: a kept layer that is not there */
int chain_trees(const char *chain, int *trees, size_t *count); /* 0 or -errno; what was opened is the caller's */
bool chain_holds(const char *chain, const char *line);
bool chain_foreseeable(const struct launch *launch);
void chain_remember(const char *chain);
unsigned chain_demand(const char *chain); /* how often among the remembered */
void chain_forget(const char *line);      /* every chain with this layer or kept layer */
void chain_forget_all(const char *chain); /* this one */
void chain_forget_everything(void);
const char *chain_most_wanted(unsigned (*stocked)(const char *chain)); /* NULL: none was asked for twice */

/* ---- template.c: the mount namespace that every shell starts from ---------------------------------------------- */

void template_open(void);
int template_namespace(void); /* descriptor */

#include "inside.h"

/* ---- client.c, requests.c: connections ------------------------------------------------------------------------- */

struct kept {
  uint64_t launch, serial;
  struct kept *next;
};

struct client {
  struct source source;
  struct bytes in, out;
  bool greeted, paused, closing;
  uid_t uid;
  gid_t gid;
  struct kept *kept;
  struct making *making;
  struct client *next;
};

void clients_open(void);
void client_send(struct client *client, const struct message *message);
void clients_flush(void); /* called by the loop: what one batch of events produced leaves in one write */
void client_close(struct client *client, const char *why);
bool client_congested(const struct client *client);
void clients_close(void);
void requests_orphan(const struct client *client);
void making_add(struct client *client, const char *name); /* making.c: layers that a connection began */
void making_forget(struct client *client, const char *name);
void making_orphan(struct client *client); /* after its launches: they write there */
void discard_layer(const char *name);
bool handle_request(struct client *client, const uint8_t *frame, size_t size); /* false: not the contract */

/* ---- kept.c: writable layers that outlive their launch --------------------------------------------------------- */

struct kept *find_kept(const struct client *client, uint64_t launch);
void release_kept(struct client *client, uint64_t launch); /* 0: all */
int keep_layer(struct client *client, uint64_t launch, int space); /* 0 or -errno; takes space */
int kept_tree(uint64_t serial); /* detached mount of its upper directory, or -errno */
int kept_directory(const struct kept *kept); /* the same, only opened */
void kept_unmount(uint64_t serial);     /* sweeper */
uint32_t kept_count(void);

/* ---- patterns.c, collector.c: which paths a client wants; the process that copies them out ---------------------- */

enum { PATTERNS_MAX = 64, PATTERN_PARTS_MAX = 63 };

struct collection { /* made by the launcher, read by the collector */
  struct child child; /* first member: the callback casts */
  struct launch *launch;
  bool alive;
  struct list patterns;
  char *directory;
  uint64_t bytes_max;
  uint32_t files_max;
  int layers[LAYERS_MAX + 1];  /* directories, the launch's own first, then what it was given, top first */
  size_t layer_count;
};

struct wanted { /* how far each pattern has come at one directory: bit n: its first n parts are behind */
  uint64_t parts[PATTERNS_MAX];
};
bool patterns_ok(struct list patterns);
void patterns_read(struct list patterns, struct wanted *start); /* keeps what `patterns` points to */
bool wanted_file(const struct wanted *here, const char *name);
bool wanted_below(const struct wanted *here, const char *name, struct wanted *below);
size_t wanted_names(const struct wanted *here, struct slice names[PATTERNS_MAX], bool *all); /* all: none has a wildcard */

/* ---- supervise.c, deadlines.c, streams.c, egress.c, terminal.c, collect.c, collector.c, witness.c, report.c: one launch */

struct stream {
  struct source source;
  struct launch *launch;
  uint8_t number;
  uint64_t forwarded, taken; /* what was read, also beyond the limit */
  uint64_t paid_until, rests_until; /* monotonic; 0: it does not rest */
  bool truncated, over;
};

struct launch {
  struct client *client; /* NULL: gone, nobody is told */
  struct shell *shell;   /* NULL: none yet, or over */
  uint64_t number;
  unsigned cores; /* that it can keep busy at a time: its cpuset's, its processes' */
  uint8_t profile, keep;
  uint8_t *frame; /* own copy until it was sent to the payload */
  uint32_t frame_size;
  struct message message; /* points into frame; its numbers stay valid */
  struct stream streams[STREAMS];
  struct source oom, input;
  struct bytes input_queue;
  uint64_t input_credit, input_taken;
  size_t input_owed; /* credit not yet given */
  uint64_t output_credit; /* of a launch with a window */
  bool pipe_input, input_watched, input_broken, input_last, input_end_typed;
  uint8_t input_last_byte;
  int terminal; /* the program's side; -1: none */
  bool started, ended, reported, kill_sent;
  struct child egress, witness;
  bool egress_alive, witness_alive;
  struct collection *collection; /* collect.c; NULL: nothing is asked for */
  uint64_t egress_deadline;
  uint8_t end, exceeded;
  uint64_t observed;
  int step, error, status;
  char *chain;
  bool foreseeable, files_written;
  uint64_t received_at, taken_at, prepare_at, mount_ns, kill_at, next_check, oom_check;
  struct note start, finish;
  struct cgroup_usage usage;
  uint64_t disk_bytes_before, disk_inodes_before, disk_bytes, disk_inodes;
  uint8_t disk_full;
  struct launch *next;
};
extern struct launch *launches;
extern uint64_t launches_total;

void launch_begin(struct client *client, const uint8_t *frame, size_t size, const struct message *message);
struct launch *find_launch(const struct client *client, uint64_t number);
void launch_shell_ready(struct launch *launch);    /* its shell stands: layers next */
void launch_shell_prepared(struct launch *launch); /* its shell lies upon its layers: go */
void launch_note(struct launch *launch, const struct note *note);
void launch_lost(struct launch *launch);
void launch_failed(struct launch *launch, int step, int error);
void launch_exceeded(struct launch *launch, uint8_t limit, uint64_t observed); /* records, then kills */
void launch_kill(struct launch *launch, uint8_t end);
void launch_progress(struct launch *launch); /* reports when everything is in */
void launches_resume(struct client *client); /* the client reads again */
void launches_orphan(struct client *client);
uint32_t launches_running(void);

uint64_t deadlines_next(void); /* monotonic ns, 0: none */
void deadlines_run(uint64_t now);
void deadlines_start(struct launch *launch);
unsigned cores_of(const struct message *launch);
void watch_memory(struct launch *launch);

void streams_open(struct launch *launch);
void stream_pump(struct stream *stream);
void streams_finish(struct launch *launch); /* the program is dead: what is left in the pipes, not more */
bool streams_over(const struct launch *launch);
void streams_resume(struct launch *launch);
uint64_t streams_wake_at(const struct launch *launch); /* 0: none rests */
void streams_wake(struct launch *launch, uint64_t now);
void streams_credit(struct launch *launch, uint32_t bytes);
void stream_open(struct launch *launch, size_t index, int descriptor);
void input_open(struct launch *launch, int descriptor);
void input_pump(struct launch *launch);
bool input_accept(struct launch *launch, struct slice data, bool last);
void input_close(struct launch *launch);

void egress_start(struct launch *launch, const int sockets[3]);
void egress_stop(struct launch *launch);

void terminal_start(struct launch *launch, const int sides[2]);
void terminal_started(struct launch *launch); /* the program runs: it can be typed to */
void terminal_resize(struct launch *launch, uint32_t rows, uint32_t columns);
void terminal_signal(struct launch *launch, uint8_t number);
size_t terminal_end_keys(const struct launch *launch, uint8_t keys[2]); /* what a person presses to end the input */

int collect_prepare(struct launch *launch); /* 0 or -errno; while its kept layers are certainly there */
void collect_start(struct launch *launch);  /* every process is dead, and the writable layer still ours */
bool collect_over(const struct launch *launch);
void collect_stop(const struct launch *launch); /* nobody listens any more */
void collect_free(struct launch *launch);
_Noreturn void collector_main(const struct collection *collection, int pipe); /* collector.c */
void witness_file_size(struct launch *launch); /* a SIGXFSZ: was it the limit's */

void report_send(struct launch *launch);

#endif
