// A checker whose participant answered 41 where the jury has 42.
#include <fstream>
#include <testlib.h>

int main() {
  std::ofstream("input") << "20 22";
  std::ofstream("output") << "41";
  std::ofstream("answer") << "42";
  char words[4][16] = {"checker", "input", "output", "answer"};
  char *places[] = {words[0], words[1], words[2], words[3], nullptr};
  registerTestlibCmd(4, places);
  int expected = ans.readInt();
  int found = ouf.readInt();
  if (expected != found) quitf(_wa, "expected %d, found %d", expected, found);
  quitf(_ok, "%d", found);
}
