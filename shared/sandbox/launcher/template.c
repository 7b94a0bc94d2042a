/*
 * template.c: the stage that every shell starts from: a mount namespace made once, with the mount points that
 * every shell needs and nothing of the host. A shell's init enters it and takes a private copy, so that
 * neither the host's mounts are copied per shell nor have to be detached again.
 * What must stay true: no program ever sees an inode of it: a lock on a shared one would be a channel between two runs.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *stage_directory = "/run/envicutor-stage";
bool devices_bound;

static int template = -1;

static int build(void) {
  static const char *const directories[] = {"root", "raw", "space", "layers", "proc", "dev"};
  char path[32];
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;
  char stage[64];
  snprintf(stage, sizeof stage, "%s/shell", stage_directory);
  if (mount("envicutor", stage, "tmpfs", MS_NOSUID, "mode=0755,size=1m,nr_inodes=256") != 0) return errno;
  umask(0);
  if (chdir(stage) != 0) return errno;
  for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
    if (mkdir(directories[i], 0755) != 0) return errno;
  for (int i = 0; i < LAYERS_MAX; i++) {
    snprintf(path, sizeof path, "layers/%d", i);
    if (mkdir(path, 0755) != 0) return errno;
  }
  int error = devices_bound ? stage_devices() : 0;
  if (error == 0 && rootless) error = stage_proc();
  if (error != 0) return error;
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return errno;
  return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL) == 0 ? 0 : errno;
}

void template_open(void) {
  char path[64], byte;
  int built[2], hold[2], error = 0;
  if (pipe2(built, O_CLOEXEC) != 0 || pipe2(hold, O_CLOEXEC) != 0) refuse("a pipe can't be made", "raise the limit of open files");
  pid_t pid = clone_process(rootless ? CLONE_NEWPID : 0, -1, NULL);
  if (pid == 0) {
    close(hold[1]);
    error = build();
    if (write(built[1], &error, sizeof error) != (ssize_t)sizeof error || read(hold[0], &byte, 1) != 0) _exit(1);
    _exit(0);
  }
  close(built[1]);
  if (pid < 0 || read(built[0], &error, sizeof error) != (ssize_t)sizeof error) error = EIO;
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
  if (error == 0) template = open(path, O_RDONLY | O_CLOEXEC);
  close(built[0]);
  close(hold[0]);
  close(hold[1]);
  if (pid > 0) waitpid(pid, NULL, 0);
  if (template >= 0) return;
  log_errno("stage can't be made", "template", error);
  refuse("the sandboxes' stage can't be made", rootless ? "see the line above, or run as root" : "run as root, in a container with --privileged");
}

int template_namespace(void) { return template; }
