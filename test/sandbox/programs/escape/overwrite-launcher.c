/*
 * Overwrites the program that started it (CVE-2019-5736): its own image is the layer's, and cannot be written.
 */
#include "../attack.h"

int main(void) {
  TRY("self", open("/proc/self/exe", O_WRONLY));
  TRY("attack", open("/attack", O_WRONLY));
  TRY("remove", unlink("/attack"));
  return 0;
}
