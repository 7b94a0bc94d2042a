/*
 * log.c: one JSON line per event on standard error, read by the supervisor that started us.
 * It never writes what a client or a program said: messages are constants, values are our own names and numbers.
 * What must stay true: a line is one write, so that lines of several processes do not mix.
 */
#include "launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const levels[] = {"info", "warn", "error"};

static void escape(char *into, size_t size, const char *from) {
  size_t at = 0;
  for (; *from != '\0' && at + 7 < size; from++) {
    unsigned char byte = (unsigned char)*from;
    if (byte == '"' || byte == '\\' || byte < 0x20 || byte > 0x7e)
      at += (size_t)snprintf(into + at, size - at, "\\u%04x", byte);
    else
      into[at++] = (char)byte;
  }
  into[at] = '\0';
}

void log_line(enum log_level level, const char *message, const char *name, const char *value) {
  char escaped[768], line[1024];
  escape(escaped, sizeof escaped, value == NULL ? "" : value);
  int size = snprintf(line, sizeof line, "{\"level\":\"%s\",\"time\":%llu,\"name\":\"launcher\",\"%s\":\"%s\",\"msg\":\"%s\"}\n",
                      levels[level], (unsigned long long)(realtime_ns() / NS_PER_MS), name == NULL ? "detail" : name, escaped,
                      message);
  if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0) return; /* nobody listens: nothing to do about it */
}

void log_errno(const char *message, const char *what, int error) {
  char text[256];
  snprintf(text, sizeof text, "%s: %s", what, strerror(error));
  log_line(LOG_LEVEL_ERROR, message, "error", text);
}

void refuse(const char *sentence, const char *remedy) {
  char line[1024];
  int size = snprintf(line, sizeof line, "envicutor-launcher: %s. Remedy: %s.\n", sentence, remedy);
  if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0) exit(EXIT_REFUSED);
  exit(EXIT_REFUSED);
}
