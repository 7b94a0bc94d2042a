/*
 * Looks for addresses of the kernel.
 */
#include "../attack.h"

int main(void) {
  static char text[1 << 16];
  static const char *const paths[] = {"/proc/self/stat", "/proc/self/wchan", "/proc/self/stack", "/proc/self/syscall", "/proc/modules", "/proc/iomem", "/proc/net/unix", "/proc/net/tcp"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
    if (read_file(paths[i], text, sizeof text) > 0 && strstr(text, "ffffffff8") != NULL) say(paths[i]);
  return 0;
}
