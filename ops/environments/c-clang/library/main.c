#include <stdio.h>
#include <zlib.h>

int main(void) {
  unsigned char text[4096];
  size_t length = fread(text, 1, sizeof text, stdin);
  printf("%08lx\n", crc32(0, text, length));
}
