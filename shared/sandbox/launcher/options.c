/*
 * options.c: the command line, every problem told at once with its remedy.
 * It never reads the environment or a file. What must stay true: an unknown word is an error, not ignored.
 */
#include "launcher.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {.descriptor = -1, .cgroup_name = "default", .stock_max = 16, .stock_profile = PROFILE_EXECUTION};

static const char usage[] =
    "envicutor-launcher --socket PATH | --fd N\n"
    "  --socket PATH         listen on this Unix socket, mode 0600, owned by the client\n"
    "  --fd N                serve this one connected socket and end with it\n"
    "  --client-uid UID      who may connect besides root; without root only ourselves\n"
    "  --store DIR           layers, owned by root or, without root, by us; without it a little room in memory that ends with us\n"
    "  --root-layer DIR      this directory of the host is the layer \"root\"\n"
    "  --cgroup NAME         parent cgroup is envicutor-NAME; one running launcher per name (default)\n"
    "  --cgroup-path DIR     cgroup v2: the delegated directory (that of our own process)\n"
    "  --stock N             most shells kept ready (16)\n"
    "  --stock-profile NAME  of which kind they are before the first launch: execution (default) or command\n"
    "  --egress-command CMD  program and arguments of the egress proxy, separated by spaces\n"
    "  --version\n";

static unsigned long number(const char *text, const char *what, unsigned long max) {
  size_t length = strlen(text); /* digits alone: strtoul would take a sign, and wrap */
  unsigned long value = length > 0 && length <= 10 && strspn(text, "0123456789") == length ? strtoul(text, NULL, 10) : max + 1;
  if (value <= max) return value;
  char sentence[256];
  snprintf(sentence, sizeof sentence, "%s got \"%s\", which is no number up to %lu", what, text, max);
  refuse(sentence, "give a decimal number");
}

static uint8_t stock_profile(const char *name) {
  if (strcmp(name, "execution") == 0) return PROFILE_EXECUTION;
  if (strcmp(name, "command") != 0) refuse("--stock-profile is unknown", "give execution or command");
  return PROFILE_COMMAND;
}

static void check(void) {
  if ((options.socket == NULL) == (options.descriptor < 0)) refuse("exactly one of --socket and --fd is needed", "see --help");
  if (options.store != NULL && options.root_layer != NULL) refuse("--store and --root-layer exclude each other", "give one of them");
  size_t length = strlen(options.cgroup_name);
  if (length == 0 || length > 64 || strspn(options.cgroup_name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
    refuse("--cgroup is no name", "use up to 64 of a-z, 0-9 and -");
  if (options.stock_max < 1 || options.stock_max > 256) refuse("--stock is out of range", "give 1 to 256");
}

void options_read(int argc, char **argv) {
  static const struct option names[] = {
      {"socket", required_argument, NULL, 's'},     {"fd", required_argument, NULL, 'f'},   {"client-uid", required_argument, NULL, 'u'},
      {"store", required_argument, NULL, 'd'},      {"cgroup", required_argument, NULL, 'c'}, {"cgroup-path", required_argument, NULL, 'p'},
      {"stock", required_argument, NULL, 'n'},      {"egress-command", required_argument, NULL, 'e'},
      {"root-layer", required_argument, NULL, 'r'}, {"stock-profile", required_argument, NULL, 'k'},
      {"version", no_argument, NULL, 'v'},          {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
  for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    switch (letter) {
      case 's': options.socket = optarg; break;
      case 'f': options.descriptor = (int)number(optarg, "--fd", INT_MAX); break;
      case 'u': options.client_uid = (uid_t)number(optarg, "--client-uid", UINT32_MAX - 1); break;
      case 'd': options.store = optarg; break;
      case 'c': options.cgroup_name = optarg; break;
      case 'p': options.cgroup_path = optarg; break;
      case 'n': options.stock_max = (unsigned)number(optarg, "--stock", 256); break;
      case 'k': options.stock_profile = stock_profile(optarg); break;
      case 'e': options.egress_command = optarg[0] == '\0' ? NULL : optarg; break;
      case 'r': options.root_layer = optarg; break;
      case 'v': puts("envicutor-launcher " RELEASE); exit(0);
      case 'h': fputs(usage, stdout); exit(0);
      default: refuse("an option is unknown", "see --help");
    }
  }
  if (optind < argc) refuse("an argument is not an option", "see --help");
  check();
}
