/**
 * Owns what the playground says of results: a sentence for every verdict, bars, bytes that are no text; and what packages export to pages.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportOf, findImports } from '../../coordinator/pages/page-packages.ts';
import { toBytes, toHexRows, toWritten } from '../../coordinator/pages/playground/output-bytes.ts';
import { toUsageBars } from '../../coordinator/pages/playground/usage-bars.ts';
import { toVerdictSentence } from '../../coordinator/pages/playground/verdict-sentence.ts';
import { limitNames } from '../../shared/model/limits.ts';
import { type Report, verdicts } from '../../shared/model/verdict.ts';
import { makeReport } from '../support/lease-results.ts';

type Ended = Parameters<typeof toVerdictSentence>[0];

const nothing = { setup: null, dependencies: null, verify: null, compile: null, run: null, failure: null };
const ran = (changes: Partial<Report>, endedIn: Ended['endedIn'] = 'run'): Ended => {
  const report = makeReport(changes);
  return { ...nothing, stage: 'finished', verdict: report.verdict, endedIn, [endedIn ?? 'run']: report };
};

test('every verdict of every script has a sentence, and only a good one is good', () => {
  for (const verdict of verdicts)
    for (const endedIn of ['setup', 'dependencies', 'verify', 'compile', 'run'] as const)
      for (const limit of limitNames) {
        const exceeded = verdict.endsWith('exceeded') ? { limit, allowed: 10, observed: 11 } : null;
        const told = toVerdictSentence(ran({ verdict, exceeded, signal: 'SIGSEGV', exitCode: 3 }, endedIn));
        assert.match(told.headline, /^[A-Z].*\.$/);
        assert.match(told.detail, /^[A-Z0-9].*\.$/);
        assert.ok(!/undefined|null|NaN|exceeded/.test(told.headline + told.detail), told.headline + told.detail);
        assert.equal(told.kind === 'good', verdict === 'ok');
      }
});

test('a sentence says what happened, with its figures, and what to do', () => {
  const exceeded = { limit: 'memoryBytes', allowed: 64 * 1024 ** 2, observed: 64 * 1024 ** 2 };
  const memory = toVerdictSentence(ran({ verdict: 'memory-exceeded', exceeded }));
  assert.equal(memory.headline, 'The program needed more memory than it may.');
  assert.equal(memory.detail, '64 MiB are allowed. If it needs that much, raise its memory under Limits.');
  const crash = toVerdictSentence(ran({ verdict: 'signaled', signal: 'SIGFPE' }));
  assert.match(crash.detail, /division by zero/);
  assert.match(toVerdictSentence(ran({ verdict: 'signaled', signal: 'SIGRTMIN+3' })).headline, /SIGRTMIN\+3/);
  const start = { step: 'exec', errno: 'ENOENT', detail: 'there is no /bin/zsh' };
  assert.equal(toVerdictSentence(ran({ verdict: 'start-failed', start })).detail, 'There is no /bin/zsh.');
  assert.equal(toVerdictSentence(ran({ verdict: 'nonzero-exit' }, 'compile')).headline, 'It did not compile.');
});

test('a fault of ours is told apart from one of the program, and an end that somebody wanted from both', () => {
  const failed = { ...nothing, stage: 'failed', verdict: null, endedIn: null } as const;
  const failure = { code: 'no-agent', detail: 'no agent is connected' } as const;
  const ours = toVerdictSentence({ ...failed, failure } as Ended);
  assert.deepEqual([ours.kind, ours.detail], ['bad', 'No agent is connected.']);
  assert.equal(toVerdictSentence({ ...failed, stage: 'cancelled' }).kind, 'plain');
  const known = { ...nothing, stage: 'finished', verdict: 'nonzero-exit', endedIn: 'setup' } as const;
  assert.match(toVerdictSentence(known).detail, /failed for somebody before/);
});

/** A receipt that says these limits; nobody signs it here. */
const toReceipt = (statement: object) => `${Buffer.from(JSON.stringify(statement)).toString('base64url')}.signature`;

test('bars are of the limits that were signed, else of those that were asked for or reached, else there is none', () => {
  const run = makeReport({ usage: { ...makeReport().usage, cpuTimeMs: 500, memoryPeakBytes: 1024 } });
  const draft = { environment: {}, files: [], run: { script: '', limits: { cpuTimeMs: 1000 } } };
  const partOf = (bars: ReturnType<typeof toUsageBars>, what: string) => bars.find((bar) => bar.what === what)?.part;
  const asked = toUsageBars({ compile: null, run, receipt: null }, draft);
  assert.equal(partOf(asked, 'Processor time'), 0.5);
  assert.equal(partOf(asked, 'Memory at its peak'), null);
  assert.equal(asked.find(({ what }) => what === 'Processor time')?.text, '500 ms of 1.00 s');
  assert.ok(!asked.some(({ what }) => what === 'Held back'), 'what did not happen is not told');
  const receipt = toReceipt({ run: { limits: { cpuTimeMs: 2000, memoryBytes: 4096 } } });
  const signed = toUsageBars({ compile: null, run, receipt }, draft);
  assert.deepEqual(
    ['Processor time', 'Memory at its peak'].map((what) => partOf(signed, what)),
    [0.25, 0.25],
  );
  const exceeded = { limit: 'outputBytes', allowed: 6, observed: 7 };
  const over = toUsageBars({ compile: null, run: makeReport({ exceeded }), receipt: null }, draft);
  assert.deepEqual(
    over.filter(({ isOver }) => isOver).map(({ what, part }) => [what, part]),
    [['Output', 1]],
  );
});

test('bytes that are no text are rows of sixteen, and not more than is asked for', () => {
  const bytes = toBytes(Buffer.from('A\u0000b\u00ffcdefghijklmnop', 'latin1').toString('base64'));
  assert.equal(
    toHexRows(bytes, 512),
    '000000  41 00 62 ff 63 64 65 66 67 68 69 6a 6b 6c 6d 6e  A·b·cdefghijklmn\n000010  6f 70                                            op',
  );
  assert.equal(toHexRows(bytes, 2), '000000  41 00                                            A·');
  const report = makeReport({ stdout: 'AP8=', stdoutEncoding: 'base64', stdoutTruncated: true });
  assert.deepEqual(toWritten(report, 'stdout'), { kind: 'binary', bytes: Uint8Array.of(0, 255), isCut: true });
  assert.deepEqual(toWritten(report, 'stderr'), { kind: 'text', text: '', isCut: false });
});

test('what a module imports, and which file of a package that is', () => {
  const later = 'import';
  const text = `import { a } from 'a';\nimport 'b';\nexport * from "@c/d";\nimport {\n  e,\n} from './e.js';\nconst x = () => ${later}('@f/g/mode/x');\n  * import { z } from 'z';`;
  assert.deepEqual(findImports(text), { first: ['a', 'b', '@c/d', './e.js'], later: ['@f/g/mode/x'] });
  assert.equal(exportOf({ exports: { import: './a.js', require: './a.cjs' } }, '.'), './a.js');
  assert.equal(exportOf({ exports: { '.': { import: './b.js' } } }, '.'), './b.js');
  assert.equal(exportOf({ exports: { './mode/*': { import: './mode/*.js' } } }, './mode/ruby'), './mode/ruby.js');
  assert.equal(exportOf({ exports: { '.': { require: './c.cjs' } } }, '.'), null);
  assert.equal(exportOf({ exports: { '.': './d.js' } }, './other'), null);
  assert.equal(exportOf({ module: './m.js' }, '.'), './m.js');
});
