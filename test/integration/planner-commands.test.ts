/**
 * Owns the proof of the planner's commands as an operator meets them: what is wrong is told in a sentence with 64, Ctrl-C keeps what is known, and load is
 * offered whatever came back. The instance is one of known capacity; real ones are measured in bench/.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { scheduleOf } from '../../bench/planner/arrivals.ts';
import { parseMix } from '../../bench/planner/mix.ts';
import { LoadGenerator, latenciesOf, type Offer } from '../../bench/planner/offer.ts';
import { toTemplates } from '../../bench/planner/requests.ts';
import { InstanceOfKnownCapacity, type KnownCapacity } from '../support/instance-of-known-capacity.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-planner-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const menu = join(import.meta.dirname, '../../bench/main.ts');

const mixOf = (environments: readonly object[]) => ({
  name: 'mix',
  environments,
  target: { p99Ms: 500 },
  ratePerMinute: 600,
});
const program = { cpuTimeMs: { kind: 'constant', ms: 2 } };
const plain = mixOf([{ name: 'a', share: 1, program }]);

function write(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

/** Runs a command in a process of its own; `interruptAt`: Ctrl-C when it has said this. */
async function run(command: 'plan' | 'record', args: readonly string[], interruptAt: RegExp | null = null) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', menu, command, ...args]);
  let said = '';
  let isInterrupted = false;
  child.stdout.resume();
  child.stderr.on('data', (chunk: Uint8Array) => {
    said += Buffer.from(chunk).toString();
    if (interruptAt?.test(said) !== true || isInterrupted) return;
    isInterrupted = true;
    child.kill('SIGINT');
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, said };
}

async function withInstance<Result>(
  shape: Partial<KnownCapacity>,
  use: (url: string, instance: InstanceOfKnownCapacity) => Promise<Result>,
): Promise<Result> {
  const instance = new InstanceOfKnownCapacity(shape);
  const url = await instance.start();
  try {
    return await use(url, instance);
  } finally {
    await instance.stop();
  }
}

const wrong: readonly (readonly [what: string, args: () => readonly string[], sentence: RegExp])[] = [
  ['no mix', () => [], /planning wants one mix, and 0 were given: name a JSON file/],
  [
    'a flag that there is none of',
    () => ['mix.json', '--fast'],
    /reading the arguments of plan: Unknown option '--fast'/,
  ],
  [
    'a mix that is not there',
    () => ['/nowhere.json'],
    /reading the mix '\/nowhere.json' failed \(ENOENT\): name a JSON file/,
  ],
  [
    'shares that do not add up',
    () => [write('shares.json', mixOf([{ name: 'a', share: 0.4, program }]))],
    /add up to 0\.400: make them add up to 1/,
  ],
  [
    'a rate that is none',
    () => [write('plain.json', plain), '--rate', 'many'],
    /reading --rate 'many': give a number above 0/,
  ],
  ['no rate', () => [write('rateless.json', { ...plain, ratePerMinute: undefined })], /wants a rate, .* give --rate/],
  [
    'a calibration that is none',
    () => [write('plain.json', plain), '--offline', write('none.json', {})],
    /its format is none and 1 is read here: make it again/,
  ],
];

for (const [what, args, sentence] of wrong) {
  test(`planning with ${what} ends with 64 and a sentence`, async () => {
    const { exitCode, said } = await run('plan', args());
    assert.equal(exitCode, 64, said);
    assert.match(said, sentence);
  });
}

test('planning with an environment that nobody knows ends with 64, naming it, before anything is offered', async () => {
  const environments = [{ name: 'lost', share: 1, environment: `env_${'0'.repeat(52)}`, program }];
  await withInstance({}, async (url, instance) => {
    const { exitCode, said } = await run('plan', [write('lost.json', mixOf(environments)), '--url', url]);
    assert.equal(exitCode, 64, said);
    assert.match(
      said,
      /running environment 'lost' of mix 'mix' once gave 404 \(there is no such environment\): correct/,
    );
    assert.equal(instance.submitted, 1);
  });
});

test('planning at an address where nobody answers ends with 69', async () => {
  const { exitCode, said } = await run('plan', [write('plain.json', plain), '--url', 'http://127.0.0.1:1']);
  assert.equal(exitCode, 69, said);
  assert.match(said, /planning 'mix' at http:\/\/127\.0\.0\.1:1 failed \(.*ECONNREFUSED.*\): see that an instance/);
});

test('Ctrl-C in the middle of a plan keeps what is known, marked, and ends with 130', async () => {
  await withInstance({}, async (url) => {
    const output = join(folder, 'cut.json');
    const args = [write('plain.json', plain), '--url', url, '--quick', '--output', output];
    const { exitCode, said } = await run('plan', args, /calibration: .* in a burst/);
    assert.equal(exitCode, 130, said);
    assert.match(said, /planning 'mix' was interrupted after 1 offers: .*cut\.json has what is known/);
    const kept = JSON.parse(readFileSync(output, 'utf8')) as {
      isComplete: boolean;
      plan: null;
      calibration: { runs: unknown[]; isComplete: boolean };
    };
    assert.deepEqual(
      [kept.isComplete, kept.plan, kept.calibration.isComplete, kept.calibration.runs.length],
      [false, null, false, 1],
    );
  });
});

test('recording where nothing runs ends with 64 and says what it saw', async () => {
  await withInstance({}, async (url) => {
    const { exitCode, said } = await run('record', [
      '--url',
      url,
      '--for',
      '10ms',
      '--output',
      join(folder, 'never.json'),
    ]);
    assert.equal(exitCode, 64, said);
    assert.match(said, /saw 0 executions end: record for longer, or while it is used/);
  });
});

test('recording for a time that is none ends with 64', async () => {
  const { exitCode, said } = await run('record', ['--url', 'http://127.0.0.1:1', '--for', 'long']);
  assert.equal(exitCode, 64, said);
  assert.match(said, /reading --for 'long': give a time such as 60s/);
});

async function offer(
  shape: Partial<KnownCapacity>,
  ratePerSecond: number,
  durationMs: number,
  inFlightMax: number,
  graceMs = 5000,
): Promise<Offer> {
  const mix = parseMix(plain, 'test');
  const generator = await LoadGenerator.start();
  try {
    return await withInstance(shape, async (url) => {
      const templates = await toTemplates({ url, key: null }, mix);
      const schedule = scheduleOf(mix, ratePerSecond, durationMs, 'offer');
      return await generator.offer({ url, key: null, templates }, schedule, durationMs, { inFlightMax, graceMs });
    });
  } finally {
    await generator.stop();
  }
}

test('load is offered whatever came back, and a stall is in the latency of all that it made wait', async () => {
  const { counts, records } = await offer({ holdsUntil: 60 }, 100, 600, 1000);
  assert.equal(counts.served, 60);
  const lastSentMs = Math.max(...records.map(({ sentMs }) => sentMs ?? 0));
  // The first one is answered after the last one was sent, and its latency counts from its own intended moment.
  const first = records[0];
  assert.ok(first !== undefined && (first.doneMs ?? 0) >= lastSentMs);
  assert.ok(Math.max(...latenciesOf(records)) >= lastSentMs - (first?.intendedMs ?? 0));
});

test('what is refused is counted, and is no latency', async () => {
  const { counts, records, achievedShare } = await offer({ refusesEach: 4 }, 200, 200, 1000);
  assert.deepEqual([counts.served, counts.refused, counts.failed], [30, 10, 0]);
  assert.equal(latenciesOf(records).length, 30);
  assert.equal(achievedShare, 0.75);
});

test('more is never under way than is allowed, and what was not sent counts against what was achieved', async () => {
  const { counts, achievedShare, sentShare } = await offer({ holdsUntil: 1000 }, 200, 200, 10, 100);
  assert.deepEqual([counts.unanswered, counts.unsent, counts.served], [10, 30, 0]);
  assert.deepEqual([achievedShare, sentShare], [0, 0.25]);
});
