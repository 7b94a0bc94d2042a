/*
 * cgroup.h: what a sandbox needs of cgroups, whichever version the host has: cgroup.c chooses one of the two drivers.
 * A section of launcher.h, which includes it. What must stay true: a driver refuses at its start what it can't enforce.
 */
#ifndef ENVICUTOR_CGROUP_H
#define ENVICUTOR_CGROUP_H

#include <stdint.h>

enum { CGROUP_ENTRIES_MAX = 8, CGROUP_COUNTERS = 5 };

struct cgroup_entry { /* made by init, used by the payload to enter */
  int descriptors[CGROUP_ENTRIES_MAX];
  int clone_into; /* v2: descriptor for CLONE_INTO_CGROUP, else -1 */
  int oom;        /* readable when memory ran out; goes to the launcher, as do */
  int counters[CGROUP_COUNTERS]; /* files of the driver's choice, open for reading: to open one costs ten times a read */
};

struct cgroup_limits {
  uint64_t memory_bytes, processes; /* 0 bytes: none were set yet */
  uint32_t cpu_shares;
};

struct cgroup_usage {
  uint64_t cpu_ns, memory_peak, processes_peak, throttled_ns, oom_kills;
};

struct cgroup_driver {
  uint8_t name; /* CGROUP_* */
  void (*open)(void);                                                /* start; sweeps; refuses */
  int (*create)(uint64_t number, struct cgroup_entry *entry);        /* init; 0 or -errno */
  int (*limit)(uint64_t number, const struct cgroup_limits *limits); /* init, then the launcher where others are wanted; 0 or -errno */
  int (*pin)(uint64_t number, const char *cpus, int *entry);         /* launcher; entry: what the payload enters by, or -1; 0 or -errno */
  int (*watch_oom)(uint64_t number);                                 /* init; readable when it struck, or -errno */
  int (*open_counters)(uint64_t number, int counters[CGROUP_COUNTERS]); /* init; 0 or -errno */
  uint64_t (*cpu_ns)(const int *counters);
  uint64_t (*oom_kills)(const int *counters);
  void (*read_usage)(const int *counters, struct cgroup_usage *into);
  int (*remove)(uint64_t number); /* sweeper; 0 or -errno */
  void (*close)(void);            /* the end: our own empty directories */
};
extern const struct cgroup_driver cgroup_v1, cgroup_v2;
extern const struct cgroup_driver *cgroup;
void cgroup_open(void);
void cgroup_sweep_directory(int parent); /* kill and remove everything below */
void cgroup_sweep_orphans(int parent); /* beside it: of embedding processes that were killed together with their launchers */
int cgroup_prepare(uint64_t number, const struct cgroup_limits *limits, struct cgroup_entry *entry); /* init; 0 or -errno */
int cgroup_join(struct cgroup_entry *entry); /* payload; 0 or -errno; closes the entry */
void cgroup_entry_close(struct cgroup_entry *entry);
void cgroup_directory_name(uint64_t number, char into[32]);


#endif
