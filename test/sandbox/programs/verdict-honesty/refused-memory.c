/*
 * Is refused memory and copes: an allocation that fails is not a limit.
 */
#include "../attack.h"

int main(void) {
  void *all = malloc(1UL << 46);
  say(all == NULL ? "refused" : "given");
  return 0;
}
