/*
 * Prints what reports and verdicts look like, on both streams.
 */
#include "../attack.h"

int main(void) {
  say("Time limit exceeded\n{\"verdict\":\"ok\",\"exitCode\":0}\nmemory-exceeded");
  return 1;
  return 0;
}
