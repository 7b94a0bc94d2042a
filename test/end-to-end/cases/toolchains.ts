/**
 * Owns the cases in which a toolchain that nobody installed compiles and runs a program.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instance } from '../../support/instance.ts';
import { cpp, go, goProgram, java, node, python, rust } from './environments.ts';

const readsTwoNumbers =
  '#include <iostream>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b << "\\n"; }\n';

/** Registers the cases. */
export function toolchainCases(instance: Instance): void {
  test('a C++ program is compiled and run by a compiler that nobody installed', async () => {
    const execution = await instance.api.execute({
      environment: cpp,
      files: [{ path: 'main.cpp', content: readsTwoNumbers }],
      compile: { script: 'g++ -O2 main.cpp -o main' },
      run: { script: './main', stdin: '20 22\n' },
      metadata: { submission: 7 },
    });
    assert.equal(execution.verdict, 'ok', JSON.stringify(execution));
    assert.equal(execution.run?.stdout, '42\n');
    assert.equal(execution.compile?.verdict, 'ok');
    assert.deepEqual(execution.metadata, { submission: 7 });
    assert.deepEqual(
      execution.environment?.layers.map((layer) => layer.kind),
      ['base', 'setup'],
    );
  });

  test('two conflicting versions of one Python package are used at once', async () => {
    const versions = ['1.16.0', '1.15.0'];
    const executions = await Promise.all(
      versions.map((version) =>
        instance.api.execute({
          environment: python(`six==${version}`),
          files: [{ path: 'main.py', content: 'import six, sys\nprint(six.__version__, sys.stdin.read())\n' }],
          run: { script: 'python3 main.py', stdin: 'hello' },
        }),
      ),
    );
    assert.deepEqual(
      executions.map((execution) => execution.run?.stdout),
      ['1.16.0 hello\n', '1.15.0 hello\n'],
      JSON.stringify(executions),
    );
  });

  test('a Node program requires an npm package of its package.json without a path', async () => {
    const execution = await instance.api.execute({
      environment: node,
      files: [{ path: 'main.js', content: "console.log(require('is-odd')(3), require('is-number')('x'));\n" }],
      run: { script: 'node main.js' },
    });
    assert.equal(execution.run?.stdout, 'true false\n', JSON.stringify(execution));
  });

  test('a Go program with a module is compiled once and run', async () => {
    const execution = await instance.api.execute({
      environment: go,
      files: goProgram,
      compile: { script: 'cp /tmp/none . 2>/dev/null || true\ngo build -o main .' },
      run: { script: './main' },
    });
    assert.equal(execution.verdict, 'ok', JSON.stringify(execution));
    assert.match(execution.run?.stdout ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-/);
  });

  test('a Rust program with a crate is compiled offline from what cargo fetched', async () => {
    const execution = await instance.api.execute({
      environment: rust,
      files: [
        ...(rust.files[0] === undefined ? [] : [rust.files[0]]),
        { path: 'src/main.rs', content: 'fn main() { println!("{}", itoa::Buffer::new().format(42u8)); }\n' },
      ],
      compile: {
        script: 'cp /environment/Cargo.lock . && cargo build --release --offline',
        limits: { cpuTimeMs: 120_000, wallTimeMs: 240_000 },
      },
      run: { script: './target/release/example' },
    });
    assert.equal(execution.run?.stdout, '42\n', JSON.stringify(execution));
  });

  test('a Java program uses a library that Maven fetched', async () => {
    const execution = await instance.api.execute({
      environment: java,
      files: [
        {
          path: 'Main.java',
          content:
            'import org.apache.commons.lang3.StringUtils;\npublic class Main { public static void main(String[] a) { System.out.println(StringUtils.reverse("olleh")); } }\n',
        },
      ],
      compile: {
        script: 'javac -cp "$(find /environment/.m2 -name "commons-lang3-3.14.0.jar")" Main.java',
        limits: { memoryBytes: 2 * 1024 ** 3 },
      },
      run: {
        script: 'java -cp "$(find /environment/.m2 -name "commons-lang3-3.14.0.jar"):." Main',
        limits: { memoryBytes: 1024 ** 3 },
      },
    });
    assert.equal(execution.run?.stdout, 'hello\n', JSON.stringify(execution));
  });
}
