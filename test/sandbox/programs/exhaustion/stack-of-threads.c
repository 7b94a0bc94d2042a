/*
 * Starts threads with large stacks and fills them.
 */
#include "../attack.h"

static void *fill(void *unused) {
  volatile char block[30 << 20];
  for (size_t at = 0; at < sizeof block; at += 4096) block[at] = 1;
  pause();
  return unused;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 32 << 20);
  pthread_t thread;
  for (;;) pthread_create(&thread, &attributes, fill, NULL);
  return 0;
}
