/**
 * Owns the proof that files go in as they are, many at once, and can be executed at once.
 * Never looks at what comes out (launcher-collect). Runs real programs in the real launcher; needs gcc.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { LaunchReport, SandboxFile } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-files');
});
after(() => launcher.stop());

async function run(argv: readonly string[], files: readonly SandboxFile[]): Promise<[LaunchReport, string]> {
  const said = new OutputBuffer();
  const spec = launchSpec(argv, { layers: ['base'], files });
  const report = await launcher.sandbox.launch(spec, { stdout: said.append.bind(said) }).report;
  return [report, said.bytes().toString()];
}

test('fifty launches at once each find their own file, of odd sizes, byte by byte', async () => {
  const launches = Array.from({ length: 50 }, async (_, index) => {
    const content = randomBytes(index * 4099 + (index % 3));
    const files = [{ path: 'deep/er/data', isExecutable: false, content }];
    const [report, said] = await run(['/usr/bin/sha256sum', 'deep/er/data'], files);
    assert.equal(report.exitCode, 0);
    assert.equal(said.slice(0, 64), createHash('sha256').update(content).digest('hex'));
  });
  await Promise.all(launches);
});

test('a program that has just been written is never busy: three hundred start, eight at a time', async () => {
  const content = compileC('int main() { return 7; }');
  const files = [{ path: 'main', isExecutable: true, content }];
  let left = 300;
  const startSome = async (): Promise<void> => {
    while (left-- > 0) {
      const [{ end, exitCode, failure }] = await run(['/environment/workspace/main'], files);
      assert.deepEqual([end, exitCode, failure], ['exited', 7, null]);
    }
  };
  await Promise.all(Array.from({ length: 8 }, startSome));
});

test('a file may be empty, executable, large, and named in any way that a path can be', async () => {
  const names = ['empty', 'with space', 'ünïcode', '-rf', '...', 'a/b/c/d/e/f', 'x'.repeat(255)];
  const files = names.map((path) => ({
    path,
    isExecutable: path === 'empty',
    content: Buffer.from(path === 'empty' ? '' : path),
  }));
  const large = { path: 'large', isExecutable: false, content: Buffer.alloc(20 << 20, 'x') };
  const script =
    'for name in "$@"; do cat "./$name"; echo; done; wc -c < large; [ -x empty ] && [ ! -x large ] && echo modes';
  const [report, said] = await run(['/bin/sh', '-c', script, 'sh', ...names], [...files, large]);
  assert.equal(report.exitCode, 0);
  assert.deepEqual(said.split('\n'), ['', ...names.slice(1), String(20 << 20), 'modes', '']);
});
