/*
 * Forges the overlay's own marks, so that a later run's layer would show what it should not.
 */
#include "../attack.h"

int main(void) {
  mkdir("d", 0755);
  setxattr("d", "user.overlay.redirect", "/../../../etc", 13, 0);
  setxattr("d", "user.overlay.opaque", "y", 1, 0);
  TRY("trusted", setxattr("d", "trusted.overlay.opaque", "y", 1, 0));
  TRY("security", setxattr("d", "security.capability", "y", 1, 0));
  TRY("whiteout", mknod("d/w", S_IFCHR, 0));
  TRY("moved", access("d/passwd", F_OK));
  return 0;
}
