/*
 * store.h: layers on disk (store.c, images.c, remove.c), and what is done off the critical path (sweeper.c).
 * A section of launcher.h, which includes it. What must stay true: only the launcher calls these, and what may block only in a child.
 */
#ifndef ENVICUTOR_STORE_H
#define ENVICUTOR_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct bytes;

void store_open(void);
int store_layer_tree(const char *name);  /* detached mount of a final layer, or -errno */
int store_target_tree(const char *name); /* the same of a layer being made, or of a finished image's files, read-only */
int store_create(const char *name);
int store_publish(const char *name, const char *to, bool as_image); /* syncs: may block, called in a child only */
int store_remove(const char *name);
int store_discard(const char *name); /* one that is being made */
void store_sweep(void); /* what a predecessor left, once the sweeper runs */
int store_trash(void);  /* descriptor */
uint32_t store_list(struct bytes *into); /* names encoded as STRS items; returns their count */
int image_mount(int layer); /* images.c; upon its own directory `mount`; 0 or -errno */
int image_tree(int layer);  /* detached mount of its root, or -errno */
void image_unmount(int directory, const char *name);
bool remove_tree(int directory, const char *name); /* false: something is left */

void sweeper_open(void);
void sweeper_close(void); /* returns when cgroups and mounts are gone */
uint32_t sweeper_waiting(void); /* errands that are not done */
void sweep_cgroup(uint64_t number);
void sweep_trash(const char *name);
void sweep_kept(uint64_t serial);
void sweep_descriptor(int descriptor);      /* closes it, where closing may take long */

#endif
