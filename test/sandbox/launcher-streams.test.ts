/**
 * Owns the proof that a program which writes byte by byte costs the launcher and whoever listens little, and loses nothing by it;
 * and that nobody else is slower for it: who answers, who fills a terminal. Times are held against others of the same run only.
 * Runs real programs in the real launcher; needs root.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const BYTES = 100_000;
const limits = {
  ...limitDefaults.run,
  wallTimeMs: 20_000,
  idleTimeMs: 20_000,
  cpuTimeMs: 20_000,
  outputBytes: 16 * 1024 * 1024,
};
/** What one input lets be read at once, of each stream: see LITTLE_READS in streams.c. */
const READS_PER_INPUT = 8;
const byteByByte = `i=0; while [ $i -lt ${BYTES} ]; do printf x; i=$((i + 1)); done`;

const terminal = { rows: 24, columns: 80 };

/** Says so many bytes and hears as many, so many times: `first` speaks first. */
const talker = {
  path: 'talker',
  isExecutable: true,
  content: compileC(`
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char bytes[65536];
static void hear(long left) {
  for (ssize_t got; left > 0; left -= got)
    if ((got = read(0, bytes, left)) <= 0) exit(1);
}
int main(int count, char **words) {
  long rounds = atol(words[1]), size = atol(words[2]);
  if (strcmp(words[3], "first") != 0) hear(size);
  for (long round = 0; round < rounds; round++) {
    if (write(1, bytes, size) != size) return 2;
    if (round < rounds - 1 || strcmp(words[3], "first") == 0) hear(size);
  }
  return 0;
}`),
};

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-streams');
});
after(() => launcher.stop());

for (const [title, changes] of [
  ['a pipe', {}],
  ['a terminal', { terminal }],
  ['a pipe with a window, of a client that takes all at once,', { outputWindowBytes: 65_536 }],
] as const)
  test(`what is written byte by byte into ${title} is told about once a millisecond, and all of it`, async () => {
    const chunks: number[] = [];
    const spec = launchSpec(['/bin/sh', '-c', `${byteByByte}; exit 3`], { layers: ['base'], limits, ...changes });
    const launch = launcher.sandbox.launch(spec, {
      stdout: (chunk) => {
        chunks.push(chunk.length);
        launch.taken(chunk.length);
      },
    });
    const { exitCode, stdoutBytes, wallTimeMs } = await launch.report;
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

/** Bytes from one program to another, as they come. */
class Relay {
  readonly #waiting: Uint8Array[] = [];
  #wake: () => void = () => undefined;

  readonly write = (chunk: Uint8Array): void => {
    this.#waiting.push(Buffer.from(chunk));
    this.#wake();
  };

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

const ROUNDS = 300;

function talk(bytes: number, place: string, stdin: Relay, say: (chunk: Uint8Array) => void) {
  const argv = ['/environment/workspace/talker', String(ROUNDS), String(bytes), place];
  const spec = launchSpec(argv, { layers: ['base'], limits, files: [talker] });
  return launcher.sandbox.launch({ ...spec, stdin }, { stdout: say }).report;
}

/** How long a program takes that the client itself answers. */
async function withClient(bytes: number): Promise<number> {
  const toProgram = new Relay();
  const { exitCode, wallTimeMs } = await talk(bytes, 'first', toProgram, toProgram.write);
  assert.equal(exitCode, 0);
  return wallTimeMs;
}

/** How long two programs take that answer each other. */
async function withProgram(bytes: number): Promise<number> {
  const [toFirst, toSecond] = [new Relay(), new Relay()];
  const reports = await Promise.all([
    talk(bytes, 'first', toFirst, toSecond.write),
    talk(bytes, 'second', toSecond, toFirst.write),
  ]);
  assert.deepEqual(
    reports.map(({ exitCode }) => exitCode),
    [0, 0],
  );
  return Math.max(...reports.map(({ wallTimeMs }) => wallTimeMs));
}

async function leastOf(times: number, measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) least = Math.min(least, await measure());
  return least;
}

for (const [title, converse] of [
  ['a program and its client', withClient],
  ['two programs', withProgram],
] as const)
  test(`${title} that answer each other in lines are no slower than in what no stream ever rests for`, async () => {
    const large = await leastOf(3, () => converse(5000));
    const little = await leastOf(3, () => converse(6));
    assert.ok(little < 3 * large, `${ROUNDS} rounds: ${little} ms by 6 bytes, ${large} ms by 5000`);
  });

test('a program that writes byte by byte is read at once as often as its input pays for, and else once a millisecond', async () => {
  const INPUTS = 50;
  let chunks = 0;
  const input = (async function* () {
    for (let i = 0; i < INPUTS; i++) {
      yield Buffer.from('x');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const spec = launchSpec(['/bin/sh', '-c', byteByByte], { layers: ['base'], limits });
  const { stdoutBytes, wallTimeMs } = await launcher.sandbox.launch(
    { ...spec, stdin: input },
    { stdout: () => void chunks++ },
  ).report;
  assert.equal(stdoutBytes, BYTES);
  const most = wallTimeMs + INPUTS * READS_PER_INPUT + 20;
  assert.ok(chunks <= most, `${chunks} times in ${wallTimeMs} ms`);
});

test('what fills a terminal is read like what fills a pipe, though a terminal never holds as much', async () => {
  const fill = async (changes: object): Promise<number> => {
    const spec = launchSpec(['/bin/sh', '-c', 'head -c 8000000 /dev/zero'], { layers: ['base'], limits, ...changes });
    const { stdoutBytes, wallTimeMs } = await launcher.sandbox.launch(spec).report;
    assert.equal(stdoutBytes, 8_000_000);
    return wallTimeMs;
  };
  const pipe = await leastOf(3, () => fill({}));
  const filled = await leastOf(3, () => fill({ terminal }));
  assert.ok(filled < 40 * pipe, `${filled} ms, a pipe ${pipe} ms`);
});
