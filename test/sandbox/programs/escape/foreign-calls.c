/*
 * Enters the kernel by the 32-bit gate, where numbers mean other calls.
 */
#include "../attack.h"

int main(void) {
  int answer = -ENOSYS;
  #ifdef __x86_64__
  static const int calls[] = {20, 21, 37, 120, 162};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(calls[i]), "b"(0), "c"(0), "d"(0) : "memory");
    printf("%s\n", strerrorname_np(-answer));
  }
  #endif
  return 0;
}
