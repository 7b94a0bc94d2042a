/*
 * Follows links out of its root.
 */
#include "../attack.h"

int main(void) {
  symlink("/proc/self/root/../../../../etc/shadow", "a");
  symlink("../../../../../../../../etc/shadow", "b");
  TRY("by /proc", open("a", O_RDONLY));
  TRY("by dots", open("b", O_RDONLY));
  TRY("hard link to a layer", link("/etc/passwd", "c"));
  char text[4096] = "";
  read_file("/etc/passwd", text, sizeof text);
  say(strstr(text, "daemon") == NULL ? "our passwd" : "the host's");
  return 0;
}
