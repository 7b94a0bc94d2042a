/*
 * Lists its network.
 */
#include "../attack.h"

int main(void) {
  struct if_nameindex *all = if_nameindex();
  for (; all != NULL && all->if_index != 0; all++) say(all->if_name);
  static char text[4096];
  read_file("/proc/net/route", text, sizeof text);
  printf("%d\n", strchr(strchr(text, '\n') + 1, '\n') != NULL);
  return 0;
}
