/**
 * Owns the requests that the API's description shows: as short as they can be and whole, so that each can be sent as it stands.
 * Never used by the product itself. Invariant: each follows the schema (a test posts them).
 */

const source = `#include <iostream>
int main() { int a, b; std::cin >> a >> b; std::cout << a + b << "\\n"; }
`;

/** Shown with ExecutionRequest. */
export const executionExamples = [
  { environment: { base: 'debian-13' }, run: { script: 'echo hello' } },
  {
    environment: { setup: 'apt-get update && apt-get install -y --no-install-recommends g++' },
    files: [{ path: 'main.cpp', content: source }],
    compile: { script: 'g++ -O2 main.cpp -o main' },
    run: { script: './main', stdin: '1 2\n', limits: { cpuTimeMs: 2000, memoryBytes: 268_435_456 } },
  },
] as const;
