/*
 * terminal.c: a pseudo-terminal for a launch that asks for one: init makes it in a devpts instance that no other
 * sandbox has, the launcher serves its master side, the program gets the other as 0, 1, 2 and controlling terminal.
 * It never costs a launch without one anything: such a sandbox has no devpts and no /dev/tty at all.
 * What must stay true: no program holds the master of its own terminal; the launcher holds both sides until the last
 * process is dead, so that a program which closes its three descriptors and opens /dev/tty again loses nothing.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

enum { MASTER, SLAVE, SIDES };

/* ---- init ---- */

/* max: the machine has some 3,000 for everybody; 32 are enough for what starts further terminals inside. */
static int mount_terminals(void) {
  if (mkdir("/raw/dev/pts", 0755) != 0 || symlink("pts/ptmx", "/raw/dev/ptmx") != 0) return errno;
  mode_t mask = umask(0);
  int result = mknod("/raw/dev/tty", S_IFCHR | 0666, makedev(5, 0));
  umask(mask);
  /* Who may not make devices gets the next best: the terminal itself under that name. */
  if (result != 0 && (errno != EPERM || symlink("pts/0", "/raw/dev/tty") != 0)) return errno;
  return mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,max=32") == 0 ? 0 : errno;
}

static int open_pair(int sides[SIDES]) {
  int locked = 0;
  struct termios settings;
  sides[MASTER] = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (sides[MASTER] < 0 || ioctl(sides[MASTER], TIOCSPTLCK, &locked) != 0) return errno;
  sides[SLAVE] = ioctl(sides[MASTER], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (sides[SLAVE] < 0 || tcgetattr(sides[SLAVE], &settings) != 0) return errno;
  settings.c_iflag |= IUTF8; /* the erase key takes a whole character */
  return tcsetattr(sides[SLAVE], TCSANOW, &settings) == 0 ? 0 : errno;
}

/* The launcher gets both with the word that all is prepared, and gives the program's side to the payload. */
int open_terminal(struct setup *setup) {
  if (setup->word.terminal == 0) return 0;
  act_as_ourselves(); /* nodes are root's, like those that were made ahead of time */
  int error = mount_terminals();
  if (error == 0) error = act_as(setup, program_user(setup->profile)); /* who opens ptmx owns the other side */
  if (error == 0) error = open_pair(setup->terminal);
  return error != 0 ? error : act_as(setup, 0);
}

/* ---- payload ---- */

/* In place of the pipes that the shell came with; the session is new, and has no terminal yet. */
int take_terminal(struct setup *setup) {
  if (setup->program_terminal < 0) return 0;
  for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
    if (dup2(setup->program_terminal, i) < 0) return errno;
  return ioctl(STDIN_FILENO, TIOCSCTTY, 0) == 0 ? 0 : errno;
}

/* ---- launcher ---- */

void terminal_start(struct launch *launch, const int sides[2]) {
  if (launch->terminal >= 0 || launch->ended || launch->message.LAUNCH_terminal == 0) return;
  int output = fcntl(sides[MASTER], F_DUPFD_CLOEXEC, 0);
  launch->terminal = fcntl(sides[SLAVE], F_DUPFD_CLOEXEC, 0);
  if (output < 0 || launch->terminal < 0 || fcntl(output, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
    int error = errno;
    close_descriptor(&output);
    close_descriptor(&launch->terminal);
    launch_failed(launch, STEP_TERMINAL, error);
    return;
  }
  terminal_resize(launch, launch->message.LAUNCH_terminalRows, launch->message.LAUNCH_terminalColumns);
  stream_open(launch, 0, output);
}

/* Not before: a key that interrupts would find nobody in the foreground. */
void terminal_started(struct launch *launch) {
  if (launch->terminal < 0 || launch->streams[0].source.descriptor < 0) return;
  int input = fcntl(launch->streams[0].source.descriptor, F_DUPFD_CLOEXEC, 0);
  if (input >= 0) input_open(launch, input);
}

/* The kernel tells the foreground processes by SIGWINCH, if it really changed. */
void terminal_resize(struct launch *launch, uint32_t rows, uint32_t columns) {
  if (launch->message.LAUNCH_terminal == 0 || rows - 1 >= UINT16_MAX || columns - 1 >= UINT16_MAX) return;
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  launch->message.LAUNCH_terminalRows = rows; /* for one that is still being made */
  launch->message.LAUNCH_terminalColumns = columns;
  if (launch->terminal >= 0 && ioctl(launch->terminal, TIOCSWINSZ, &size) != 0) log_errno("terminal's size can't be set", "TIOCSWINSZ", errno);
}

/* What a key could send, and what a person would send otherwise; init knows who is in the foreground. */
void terminal_signal(struct launch *launch, uint8_t number) {
  static const uint8_t allowed[] = {SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM, SIGCONT, SIGTSTP};
  if (launch->terminal < 0 || !launch->started || launch->ended || launch->shell == NULL) return;
  if (memchr(allowed, number, sizeof allowed) != NULL) shell_signal(launch->shell, number);
}

/* A terminal has no end of file but the key that a person presses: once at the start of a line, twice within one. */
size_t terminal_end_keys(const struct launch *launch, uint8_t keys[2]) {
  struct termios settings;
  if (launch->terminal < 0 || tcgetattr(launch->terminal, &settings) != 0 || settings.c_cc[VEOF] == _POSIX_VDISABLE) return 0;
  uint8_t last = launch->input_last_byte;
  bool within = last != '\n' && last != settings.c_cc[VEOF] && !(last == '\r' && (settings.c_iflag & ICRNL) != 0);
  memset(keys, settings.c_cc[VEOF], 2);
  return within && (settings.c_lflag & ICANON) != 0 ? 2 : 1;
}
