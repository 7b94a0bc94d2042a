/**
 * Owns the proof that a program which writes byte by byte costs the launcher and whoever listens little, and loses nothing by it.
 * Runs real programs in the real launcher; needs root.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { RealLauncher } from '../support/real-launcher.ts';

const BYTES = 100_000;
const limits = { ...limitDefaults.run, wallTimeMs: 20_000, idleTimeMs: 20_000, cpuTimeMs: 20_000 };
const byteByByte = `i=0; while [ $i -lt ${BYTES} ]; do printf x; i=$((i + 1)); done`;

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-streams');
});
after(() => launcher.stop());

for (const [title, changes] of [
  ['a pipe', {}],
  ['a terminal', { terminal: { rows: 24, columns: 80 } }],
] as const)
  test(`what is written byte by byte into ${title} is told about once a millisecond, and all of it`, async () => {
    const chunks: number[] = [];
    const spec = launchSpec(['/bin/sh', '-c', `${byteByByte}; exit 3`], { layers: ['base'], limits, ...changes });
    const { exitCode, stdoutBytes, wallTimeMs } = await launcher.sandbox.launch(spec, {
      stdout: (chunk) => void chunks.push(chunk.length),
    }).report;
    assert.deepEqual([exitCode, stdoutBytes], [3, BYTES]);
    assert.equal(
      chunks.reduce((sum, length) => sum + length, 0),
      BYTES,
    );
    assert.ok(chunks.length <= wallTimeMs + 20, `${chunks.length} times in ${wallTimeMs} ms`);
  });

test('a line is told when it is written, and the next one after a rest, not when its program ends', async () => {
  const heard: string[] = [];
  const bothLines = Promise.withResolvers<void>();
  const spec = launchSpec(['/bin/sh', '-c', 'echo one; echo two; echo three; read answer; echo $answer'], {
    layers: ['base'],
    limits,
  });
  const input = (async function* () {
    await bothLines.promise;
    yield Buffer.from('four\n');
  })();
  const { exitCode } = await launcher.sandbox.launch(
    { ...spec, stdin: input },
    {
      stdout: (chunk) => {
        heard.push(Buffer.from(chunk).toString());
        if (heard.join('') === 'one\ntwo\nthree\n') bothLines.resolve();
      },
    },
  ).report;
  assert.deepEqual([exitCode, heard.join('')], [0, 'one\ntwo\nthree\nfour\n']);
});

test('a program whose output a daemon of its own goes on writing ends with all that was written', async () => {
  const heard: string[] = [];
  const script = `(while :; do printf y; done) & i=0; while [ $i -lt 2000 ]; do printf x; i=$((i + 1)); done`;
  const { stdoutBytes, exitCode } = await launcher.sandbox.launch(
    launchSpec(['/bin/sh', '-c', script], { layers: ['base'], limits }),
    { stdout: (chunk) => void heard.push(Buffer.from(chunk).toString()) },
  ).report;
  const text = heard.join('');
  assert.equal(exitCode, 0);
  assert.equal(text.replaceAll('y', ''), 'x'.repeat(2000));
  assert.equal(text.length, stdoutBytes);
});
