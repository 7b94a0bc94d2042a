/*
 * Raises the number of user namespaces that may be made.
 */
#include "../attack.h"

int main(void) {
  TRY("user", write_file("/proc/sys/user/max_user_namespaces", "100"));
  TRY("kernel", write_file("/proc/sys/kernel/unprivileged_userns_clone", "1"));
  return 0;
}
