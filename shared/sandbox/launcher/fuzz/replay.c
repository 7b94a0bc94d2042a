/*
 * replay.c: runs a fuzz target over files instead of new inputs, so that make test needs no fuzzer: gcc is enough.
 * It never changes an input. What must stay true: an input lies alone in its own allocation, as libFuzzer has it, so that
 * the address sanitizer sees a read of one byte too many.
 */
#include "fuzz.h"

#include <dirent.h>

static int run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) return fprintf(stderr, "%s can't be read\n", path), 1;
  long size = ftell(file);
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
  rewind(file);
  size_t got = data == NULL || size <= 0 ? 0 : fread(data, 1, (size_t)size, file);
  fclose(file);
  fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
  uint8_t *exact = malloc(got);
  if (got > 0 && exact != NULL) memcpy(exact, data, got);
  free(data);
  LLVMFuzzerTestOneInput(exact, got);
  free(exact);
  return 0;
}

static int run_directory(const char *path, unsigned *count) {
  struct dirent **entries;
  int total = scandir(path, &entries, NULL, alphasort), failed = 0;
  if (total < 0) return fprintf(stderr, "%s is no directory\n", path), 1;
  for (int i = 0; i < total; i++) {
    char file[4096];
    snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.') {
      failed |= run_file(file);
      (*count)++;
    }
    free(entries[i]);
  }
  free(entries);
  return failed;
}

int main(int count, char **words) {
  unsigned files = 0;
  int failed = 0;
  for (int i = 1; i < count; i++) failed |= run_directory(words[i], &files);
  printf("%u\n", files);
  return failed;
}
