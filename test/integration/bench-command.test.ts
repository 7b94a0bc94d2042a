/**
 * Owns the proof of the benchmark suite's commands as an operator calls them: what they print, keep and exit with, also when interrupted or asked nonsense.
 * Real processes and a real launcher; no figure is looked at. Every scenario is run in test/end-to-end/bench-quick.test.ts.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { scenarios } from '../../bench/catalogue.ts';
import { readRecording } from '../../bench/recording/recording.ts';
import { Generator } from '../../bench/statistics/generator.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'envicutor-bench-command-'));
after(() => rmSync(folder, { recursive: true }));

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `during` hears what it says on standard error while it runs. */
async function bench(args: readonly string[], during?: (child: ChildProcess, said: string) => void): Promise<Ran> {
  const child = spawn(join(root, 'bench/bench'), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout.on('data', (data) => stdout.push(String(data)));
  child.stderr.on('data', (data) => {
    stderr.push(String(data));
    during?.(child, stderr.join(''));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

test('the list names every scenario with its question', async () => {
  const { code, stdout } = await bench(['list']);
  assert.equal(code, 0);
  for (const { name, question } of scenarios) assert.match(stdout, new RegExp(`^${name} .*`, 'm'), question);
  assert.equal(stdout.trim().split('\n').length, scenarios.length);
});

test('no two scenarios have one name, and every question ends with a question mark', () => {
  assert.equal(new Set(scenarios.map(({ name }) => name)).size, scenarios.length);
  for (const { question } of scenarios) assert.match(question, /\?$/);
});

test('a run prints its answer, keeps every sample, and both its page and its tables are drawn from that', async () => {
  const recording = join(folder, 'cache-hit.json');
  const { code, stdout } = await bench(['run', 'cache-hit', '--quick', '--output', recording]);
  assert.equal(code, 0, stdout);
  const { isComplete, isQuick, scenarios: answers, machine } = readRecording(recording);
  assert.deepEqual([isComplete, isQuick, answers.length], [true, true, 1]);
  assert.ok(machine.cores > 0);
  const [answer] = answers;
  assert.ok(answer?.answer !== null && answer !== undefined);
  assert.ok(stdout.includes(answer.answer));
  for (const { samples } of answer.rows) assert.ok(samples.length >= 100);
  const [html, markdown] = [join(folder, 'page.html'), join(folder, 'tables.md')];
  const drawn = await bench(['report', recording, '--html', html, '--markdown', markdown]);
  assert.equal(drawn.code, 0, drawn.stderr);
  assert.ok(readFileSync(markdown, 'utf8').includes(answer.answer));
  assert.match(readFileSync(html, 'utf8'), /<svg/);
});

test('Ctrl-C in the middle leaves a recording that says so, and nothing that runs', async () => {
  const recording = join(folder, 'interrupted.json');
  const isOurs = (name: string) => name.startsWith('envicutor-bench-') && !name.startsWith('envicutor-bench-command-');
  const before = readdirSync(tmpdir()).filter(isOurs);
  // It takes minutes to its answer.
  const ran = await bench(['run', 'left-behind', 'cache-hit', '--output', recording], (child, said) => {
    if (said.includes('asking left-behind') && !child.killed) child.kill('SIGINT');
  });
  assert.equal(ran.code, 130, ran.stderr);
  const { isComplete, scenarios: answers } = readRecording(recording);
  assert.equal(isComplete, false);
  assert.deepEqual(
    answers.map(({ name, problem }) => [name, problem]),
    [['left-behind', 'interrupted']],
  );
  assert.deepEqual(
    readdirSync(tmpdir())
      .filter(isOurs)
      .filter((name) => !before.includes(name)),
    [],
  );
});

test('what makes no sense is refused by one sentence and exit code 64', async () => {
  const noJson = join(folder, 'broken.json');
  writeFileSync(noJson, '{"form":1,');
  const noRecording = join(folder, 'other.json');
  writeFileSync(noRecording, '{"form":99}');
  const quick = join(folder, 'quick.json');
  assert.equal((await bench(['run', 'cache-hit', '--quick', '--output', quick])).code, 0);
  const cases: readonly (readonly [args: readonly string[], sentence: RegExp])[] = [
    [[], /usage: bench/],
    [['fly'], /no command 'fly'/],
    [['run', 'nonsense'], /no scenario 'nonsense'; 'bench list' says/],
    [['run', '--fast'], /--fast/],
    [['run', '--against', join(folder, 'missing.json')], /can't read a recording from/],
    [['compare', noJson, noJson], /can't read a recording from/],
    [['compare', noRecording, noRecording], /is no recording of form 1/],
    [['compare', quick], /takes two recordings, got 1/],
    [['compare', quick, quick], /is of a quick run, which has no figures/],
    [['report', join(folder, 'missing.json')], /can't read a recording from/],
  ];
  for (const [args, sentence] of cases) {
    const { code, stderr } = await bench(args);
    assert.equal(code, 64, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, sentence);
    assert.doesNotMatch(stderr, /^\s+at /m, 'a stack is no sentence');
  }
});

test('a comparison names what became worse, and its exit code says so', async () => {
  const path = join(folder, 'before.json');
  const { code } = await bench(['run', 'cache-hit', '--quick', '--output', path]);
  assert.equal(code, 0);
  const usual = { ...readRecording(path), isQuick: false };
  // Samples that are known: 400 around each row's place, and those of what is not a rival's half as slow again.
  const withSamples = (factor: number) => {
    const recording = structuredClone(usual);
    const generator = new Generator(7);
    for (const row of recording.scenarios.flatMap(({ rows }) => rows)) {
      const middle = row.against === null ? 1 : 3 * factor;
      row.samples = Array.from({ length: 400 }, () => middle * Math.exp(0.05 * (generator.share() - 0.5)));
    }
    return recording;
  };
  const [whole, slower] = [withSamples(1), withSamples(1.5)];
  const [before, after] = [join(folder, 'whole.json'), join(folder, 'slower.json')];
  writeFileSync(before, JSON.stringify(whole));
  writeFileSync(after, JSON.stringify(slower));
  const same = await bench(['compare', before, before]);
  assert.equal(same.code, 0, same.stdout);
  assert.doesNotMatch(same.stdout, /^(worse|better)/m);
  const worse = await bench(['compare', before, after]);
  assert.equal(worse.code, 1, worse.stdout);
  assert.match(worse.stdout, /^worse +cache-hit: three layers, p50/m);
  assert.match((await bench(['compare', after, before])).stdout, /^better +cache-hit: three layers, p50/m);
  assert.ok(existsSync(after));
});
