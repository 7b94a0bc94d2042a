int main() {
  return missing;
}
