/*
 * Does nothing: what others of its machine hold in memory is not its own.
 */
#include "../attack.h"

int main(void) { return 0; }
