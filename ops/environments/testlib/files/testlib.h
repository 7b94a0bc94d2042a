// Owns what checkers, validators and interactors of this recipe read and say, by the names that testlib has made usual: inf, ouf and ans, readInt and
// its kin, quitf with a verdict. Our own words: a small part of what testlib offers, for programs that compare answers. Never reads a number that is
// not written as one. What ends a checker is one line on standard error and an exit code: 0 right, 1 wrong, 2 badly formed, 3 the jury's own fault.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

enum TResult { _ok = 0, _wa = 1, _pe = 2, _fail = 3, _points = 7 };

/** Says so and ends. */
[[noreturn]] inline void quit(TResult result, const std::string &message) {
  const char *prefix = result == _ok       ? "ok "
                       : result == _wa     ? "wrong answer "
                       : result == _pe     ? "wrong output format "
                       : result == _points ? "points "
                                           : "FAIL ";
  std::cout.flush();
  std::cerr << prefix << message << "\n";
  std::exit(result);
}

inline std::string formatted(const char *format, va_list values) {
  char text[4096];
  std::vsnprintf(text, sizeof text, format, values);
  return text;
}

[[noreturn]] __attribute__((format(printf, 2, 3))) inline void quitf(TResult result, const char *format, ...) {
  va_list values;
  va_start(values, format);
  const std::string text = formatted(format, values);
  va_end(values);
  quit(result, text);
}

/** Points between 0 and 1, as the check programs of executions give them. */
[[noreturn]] inline void quitp(double points, const std::string &message = "") {
  std::ostringstream text;
  text << points << (message.empty() ? "" : " ") << message;
  quit(_points, text.str());
}

__attribute__((format(printf, 2, 3))) inline void ensuref(bool isTrue, const char *format, ...) {
  if (isTrue) return;
  va_list values;
  va_start(values, format);
  const std::string text = formatted(format, values);
  va_end(values);
  quit(_fail, text);
}

/** One of the three: the test's input, the participant's output, the jury's answer. Read as a whole when a file, as it comes when a stream. */
class InStream {
 public:
  /** What it means when something is not as asked for: the participant's fault, or the jury's. */
  TResult blame = _fail;
  /** Does every blank count, as in a validator? */
  bool isStrict = false;
  std::string name;

  void open(const std::string &path, const std::string &called, TResult whoIsToBlame) {
    file.open(path, std::ios::binary);
    stream = &file;
    name = called;
    blame = whoIsToBlame;
    if (!file) quit(_fail, "can't read " + path);
  }

  void openStandardInput(const std::string &called, TResult whoIsToBlame) {
    stream = &std::cin;
    name = called;
    blame = whoIsToBlame;
  }

  bool eof() { return stream->peek() == EOF; }
  bool eoln() { return eof() || stream->peek() == '\n' || stream->peek() == '\r'; }
  bool seekEof() {
    skipBlanks();
    return eof();
  }
  bool seekEoln() {
    while (stream->peek() == ' ' || stream->peek() == '\t') stream->get();
    return eoln();
  }

  std::string readToken() {
    if (!isStrict) skipBlanks();
    std::string token;
    while (!eof() && !isBlank(stream->peek())) token += static_cast<char>(stream->get());
    if (token.empty()) wrong("there is no further word");
    return token;
  }
  std::string readWord() { return readToken(); }

  std::string readLine() {
    if (eof()) wrong("there is no further line");
    std::string line;
    std::getline(*stream, line);
    if (!isStrict && !line.empty() && line.back() == '\r') line.pop_back();
    return line;
  }
  std::string readString() { return readLine(); }

  long long readLong() {
    const std::string token = readToken();
    char *end = nullptr;
    errno = 0;
    const long long value = std::strtoll(token.c_str(), &end, 10);
    if (errno != 0 || std::to_string(value) != token) wrong("\"" + token + "\" is no whole number");
    return value;
  }
  long long readLong(long long least, long long most, const std::string &what = "number") {
    const long long value = readLong();
    if (value < least || value > most)
      wrong(what + " is " + std::to_string(value) + ", not from " + std::to_string(least) + " to " + std::to_string(most));
    return value;
  }
  int readInt() { return static_cast<int>(readLong(-2147483648LL, 2147483647LL, "number")); }
  int readInt(int least, int most, const std::string &what = "number") {
    return static_cast<int>(readLong(least, most, what));
  }
  int readInteger() { return readInt(); }

  double readDouble() {
    const std::string token = readToken();
    const bool isPlain = token.find_first_not_of("+-.0123456789eE") == std::string::npos;
    char *end = nullptr;
    const double value = std::strtod(token.c_str(), &end);
    if (!isPlain || *end != '\0' || !std::isfinite(value)) wrong("\"" + token + "\" is no number");
    return value;
  }
  double readReal() { return readDouble(); }

  void readSpace() { readOne(' ', "a space"); }
  void readEoln() {
    if (!isStrict) {
      seekEoln();
      if (stream->peek() == '\r') stream->get();
    }
    readOne('\n', "the end of the line");
  }
  void readEof() {
    if (!(isStrict ? eof() : seekEof())) wrong("something follows where its end should be");
  }

 private:
  std::ifstream file;
  std::istream *stream = nullptr;

  static bool isBlank(int letter) { return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r'; }
  void skipBlanks() {
    while (!eof() && isBlank(stream->peek())) stream->get();
  }
  void readOne(char letter, const std::string &what) {
    if (stream->get() != letter) wrong("expected " + what);
  }
  [[noreturn]] void wrong(const std::string &why) { quit(blame, name + ": " + why); }
};

inline InStream inf, ouf, ans;
/** What an interactor leaves for its checker. */
inline std::ofstream tout;

/** A checker: input, output and answer are its arguments. */
inline void registerTestlibCmd(int count, char **words) {
  if (count < 4) quit(_fail, "a checker is called with the paths of input, output and answer");
  inf.open(words[1], "input", _fail);
  ouf.open(words[2], "output", _pe);
  ans.open(words[3], "answer", _fail);
}

/** An interactor: the participant is at standard input and output. */
inline void registerInteraction(int count, char **words) {
  if (count < 3) quit(_fail, "an interactor is called with the paths of input and output");
  inf.open(words[1], "input", _fail);
  tout.open(words[2]);
  ouf.openStandardInput("participant", _pe);
  if (count > 3) ans.open(words[3], "answer", _fail);
}

/** A validator: the input is at standard input, and every blank of it counts. */
inline void registerValidation(int, char **) {
  inf.openStandardInput("input", _fail);
  inf.isStrict = true;
}

/** Are they the same but for an error, absolute or relative? */
inline bool doubleCompare(double expected, double found, double error) {
  return std::abs(expected - found) <= error * std::max(1.0, std::abs(expected));
}
