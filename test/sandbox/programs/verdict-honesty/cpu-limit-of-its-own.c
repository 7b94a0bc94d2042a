/*
 * Gives itself a limit of cpu time, for which the kernel kills it: not the limit that it was given.
 */
#include "../attack.h"

int main(void) {
  setrlimit(RLIMIT_CPU, &(struct rlimit){1, 1});
  spin();
}
