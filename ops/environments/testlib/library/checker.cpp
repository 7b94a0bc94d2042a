// A validator: the input holds a count, and so many numbers from 1 to 100, and nothing else.
#include <testlib.h>

int main(int count, char **words) {
  registerValidation(count, words);
  int numbers = inf.readInt(1, 10, "count");
  inf.readEoln();
  int sum = 0;
  for (int index = 0; index < numbers; ++index) {
    if (index > 0) inf.readSpace();
    sum += inf.readInt(1, 100, "number");
  }
  inf.readEoln();
  inf.readEof();
  std::cout << numbers << " numbers, " << sum << " together\n";
}
