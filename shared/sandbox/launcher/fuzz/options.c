/*
 * options.c: any command line. It ends the start with a sentence, or gives options that mean what was written.
 * It never ends the process: refuse and exit jump back here. What must stay true: a number that was accepted is the one
 * that stood there, digit by digit.
 */
#include "fuzz.h"

#include <getopt.h>
#include <setjmp.h>

static jmp_buf back;
static const char *numbers[32]; /* every text that was read as one */
static size_t number_count;

static _Noreturn void jump_refuse(const char *sentence, const char *remedy) {
  insist(strlen(sentence) > 0 && strlen(remedy) > 0);
  longjmp(back, 1);
}

static _Noreturn void jump_exit(int code) {
  (void)code;
  longjmp(back, 1);
}

static unsigned long noted_strtoul(const char *text, char **end, int base) {
  numbers[number_count++] = text;
  return strtoul(text, end, base);
}

#define refuse jump_refuse
#define strtoul noted_strtoul
#define exit jump_exit
#define puts(text) (void)(text)
#define fputs(text, file) (void)(text)
#include "../options.c"
#undef refuse
#undef strtoul
#undef exit
#undef puts
#undef fputs

enum { WORDS_MAX = 24 };

static void check_options(void) {
  insist((options.socket == NULL) != (options.descriptor < 0) && options.descriptor >= -1);
  insist(options.stock_max >= 1 && options.stock_max <= 256 && options.client_uid != (uid_t)-1);
  insist(strlen(options.cgroup_name) >= 1 && strlen(options.cgroup_name) <= 64 && strpbrk(options.cgroup_name, "/.\n ") == NULL);
  for (size_t i = 0; i < number_count; i++) insist(strspn(numbers[i], "0123456789") == strlen(numbers[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1024) return 0;
  char *text = malloc(size + 1), *words[WORDS_MAX + 2] = {(char[]){"envicutor-launcher"}};
  int count = 1;
  insist(text != NULL);
  if (size > 0) memcpy(text, data, size);
  text[size] = '\0';
  for (size_t at = 0; at < size && count <= WORDS_MAX; at += strlen(text + at) + 1) words[count++] = text + at;
  words[count] = NULL;
  options = (struct options){.descriptor = -1, .cgroup_name = "default", .stock_max = 16};
  number_count = 0;
  optind = 0; /* glibc: begin again */
  opterr = 0;
  if (setjmp(back) == 0) {
    options_read(count, words);
    check_options();
  }
  free(text);
  return 0;
}
