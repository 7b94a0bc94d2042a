void main() {
  int[] numbers = [1, 2, 3];
  auto index = numbers.length;
  numbers[index] = 4;
}
