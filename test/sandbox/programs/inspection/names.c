/*
 * Prints the names of the machine: they say nothing about the host.
 */
#include "../attack.h"

#include <sys/utsname.h>

int main(void) {
  struct utsname name;
  uname(&name);
  char domain[64] = "";
  getdomainname(domain, sizeof domain);
  printf("%s %s.\n", name.nodename, domain);
  return 0;
}
