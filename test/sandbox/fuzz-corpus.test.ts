/**
 * Owns the replay of every kept fuzz input: each of the launcher's targets, built by gcc with sanitizers, over first inputs made from today's
 * contract and over the corpus of what fuzzing found. New inputs are test/deep's. Needs gcc and make.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { decodeFrame, FrameDecoder } from '../../shared/sandbox/frame-decoder.ts';
import { encodeFrame, type Frame } from '../../shared/sandbox/frames.ts';
import { fuzzSeeds, writeSeeds } from '../support/fuzz-seeds.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const run = promisify(execFile);
const launcher = new URL('../../shared/sandbox/launcher/', import.meta.url).pathname;
const corpus = join(launcher, 'fuzz/corpus');
const seeds = mkdtempSync(join(tmpdir(), 'envicutor-fuzz-'));
const targets = writeSeeds(seeds);

before(() => run('make', ['--silent', '--jobs=2', '-C', launcher, 'replay']));
after(() => rmSync(seeds, { recursive: true }));

test('every target has first inputs, and every corpus a target', () => {
  const sources = globSync('fuzz/*.c', { cwd: launcher }).map((path) => path.slice('fuzz/'.length, -'.c'.length));
  assert.deepEqual(sources.filter((name) => name !== 'replay').sort(), [...targets].sort());
  assert.deepEqual(
    readdirSync(corpus).filter((name) => !targets.includes(name)),
    [],
  );
});

for (const target of targets) {
  test(`the launcher's ${target.replaceAll('_', ' ')}: no kept input breaks a promise or touches foreign memory`, async () => {
    const folders = [join(seeds, target), join(corpus, target)].filter((folder) => existsSync(folder));
    const files = folders.flatMap((folder) => readdirSync(folder));
    const { stdout } = await run(join(launcher, 'build/replay', target), folders, { maxBuffer: 1 << 26 });
    assert.equal(Number(stdout), files.length);
  });
}

test('our own decoder refuses the same inputs by a RangeError, or gives a frame', () => {
  const found = globSync('decode/*', { cwd: corpus }).map((path) => readFileSync(join(corpus, path)));
  let frames = 0;
  for (const input of [...(fuzzSeeds()['decode'] ?? []), ...found]) {
    try {
      decodeFrame(input);
      frames++;
    } catch (error) {
      assert.ok(error instanceof RangeError, `${error} for ${input.toString('hex')}`);
    }
  }
  assert.ok(frames > 0);
});

test('frames come out of our own decoder the same, however the bytes were cut', () => {
  const whole = (fuzzSeeds()['client'] ?? []).map((input) => input.subarray(8))[0] ?? Buffer.alloc(0);
  const read = (next: () => number): Frame[] => {
    const frames: Frame[] = [];
    const decoder = new FrameDecoder((frame) => frames.push(structuredClone(frame)));
    for (let at = 0; at < whole.length; ) {
      const size = next();
      decoder.push(whole.subarray(at, at + size));
      at += size;
    }
    return frames;
  };
  const expected = read(() => whole.length);
  assert.ok(expected.length > 20);
  assert.equal(Buffer.concat(expected.map(({ name, fields }) => encodeFrame(name, fields))).compare(whole), 0);
  const random = new SeededNumbers('cuts');
  for (let round = 0; round < 200; round++)
    assert.deepEqual(
      read(() => 1 + random.below(1 + round)),
      expected,
    );
});
