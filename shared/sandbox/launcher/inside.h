/*
 * inside.h: what runs in a shell: init.c, payload.c, and the steps that their tables name.
 * A section of launcher.h, which includes it. What must stay true: a step returns 0 or an errno and is in one table only.
 */
#ifndef ENVICUTOR_INSIDE_H
#define ENVICUTOR_INSIDE_H

#include <sys/time.h>

uint64_t time_ns(struct timeval time); /* kernel.c */
struct setup { /* of one shell; init and payload have one each, filled alike until the payload was forked */
  uint8_t profile;
  uint64_t number;
  uint32_t base; /* first host id */
  int orders, notes, line; /* line: payload to init and back, closed by exec */
  struct note *about;      /* shared with init: the payload's last word */
  int proc;                /* the host's, for what only it can do */
  int user_namespace, space;
  struct cgroup_entry cgroup;
  int host_trees[32]; /* host view: detached mounts, in the order of hostview.c's table */
  /* init */
  struct word word;
  int descriptors[LAYERS_MAX + 4]; /* detached mounts that came with the word */
  size_t descriptor_count;
  int terminal[2]; /* master and the program's side, if it gets one */
  /* payload */
  struct message launch;
  const uint8_t *frame; /* of a large order, mapped; else NULL */
  size_t frame_size;
  char **argv, **environment;
  char *directory;
  int cpuset, program_terminal; /* -1: none */
  uint64_t cpu_before_ns, ordered_at;
};

_Noreturn void init_main(uint8_t profile, uint64_t number, uint32_t base, const struct cgroup_entry *entry);
_Noreturn void payload_main(struct setup *setup);
bool runs_program(uint8_t profile); /* a stranger's, with no rights at all */
int act_as(const struct setup *setup, uint32_t id); /* create files as this inside id */
void act_as_ourselves(void);
uint32_t program_user(uint8_t profile);
bool profile_has_host_view(uint8_t profile);

/* Steps: 0 or an errno. Of init, while the shell is made: */
int prepare_network(struct setup *setup);
int prepare_host_view(struct setup *setup); /* before the stage: takes detached copies of what is shown */
int prepare_stage(struct setup *setup);
int make_proc(void);
int build_host_view(struct setup *setup);   /* after the stage */
/* Of init, when the layers are known: ahead of time for a chain that the stock foresees, else while the launch waits. */
int open_egress(struct setup *setup);
int attach_layers(struct setup *setup);
int mount_root(struct setup *setup);
int mount_workspace(struct setup *setup); /* COMMAND: what earlier launches kept of their directory, below this one's */
int open_terminal(struct setup *setup);
int place_mounts(struct setup *setup);
int enter_root(struct setup *setup);
/* Of the payload, ahead of time: */
int fix_limits(struct setup *setup);
int fix_counted_limits(struct setup *setup);
int become_program(struct setup *setup);
int install_filter(struct setup *setup);
/* Of the payload, on the critical path: */
int take_terminal(struct setup *setup); /* as 0, 1, 2 and controlling terminal */
int write_files(struct setup *setup);
int open_directory_of_launch(const char *root, char *directory); /* made if missing; or -errno */
int apply_limits(struct setup *setup);
int drop_capabilities(struct setup *setup);
/* Of the launcher, on the critical path: */
int write_system_files(int space, struct list files); /* 0 or an errno */
/* Shared by them: */
void look_at_proc(void);  /* launcher, once: what of it there is to hide */
void build_filters(void); /* launcher, once: the filters that install_filter installs */
int bind_tree(const char *from, int directory, const char *to, uint64_t attributes, int user_namespace);
int attach_tree(int tree, int directory, const char *path);
int clone_tree(int directory, const char *path);
int set_mount(int tree, uint64_t attributes, int user_namespace);
int idmap_of_memory(const struct setup *setup); /* for set_mount: of a tmpfs of ours */
int idmap_of_disk(const struct setup *setup);   /* of a layer in the store */


#endif
