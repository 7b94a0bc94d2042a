/**
 * Owns the order in which the test folders run, and the closing count, ledger and failures: `node test/run.ts [folder or selection...]`.
 * Never decides what a test needs: make prepares the machine before.
 * Invariant: a failed, cancelled or skipped test makes the exit code 1, and the folders after a failing one do not run.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { describeFailure } from './support/test-failure.ts';

const root = new URL('..', import.meta.url).pathname.replace(/\/$/, '');

/** Cheapest first, so that a mistake is found early. */
const folders = [
  'house',
  'unit',
  'simulation',
  'contract',
  'integration',
  'sandbox',
  'sanitized',
  'guest',
  'chaos',
  'end-to-end',
] as const;

/** How many files at once, where they don't measure each other; both guests, which have a processor each, on two cores, too. */
const atOnce: Readonly<Record<string, number | true>> = { unit: true, contract: true, guest: 2 };

/** Files of one-at-a-time folders that wait for registries, compilers and peers and measure nothing: two at once, before the others. */
const inPairs =
  /\/integration\/(reproducible-layers|egress-(clients|toolchains|artefacts)|builder|api-properties|python-client|release|recipes|recipe-tutorial|cli|cli-login)\.test\.ts$/;

/** Files of other folders, run in other circumstances. */
const selections: Readonly<Record<string, { files: string; variables: Readonly<Record<string, string>> }>> = {
  /** On a launcher that was built with address and undefined-behaviour sanitizers. */
  sanitized: { files: '{contract/sandbox,sandbox/{launcher-*,programs}}', variables: sanitizedLauncher() },
  'sanitized-soak': { files: 'sandbox/soak', variables: { ...sanitizedLauncher(), ENVICUTOR_SOAK_RUNS: '2000' } },
  soak: { files: 'sandbox/soak', variables: {} },
  'egress-fuzz': { files: 'integration/egress-fuzz', variables: {} },
  'api-properties': { files: 'integration/api-properties', variables: {} },
};

/** Freed memory is kept from use for a while, but not so much of it that the launcher looks large. */
function sanitizedLauncher(): Readonly<Record<string, string>> {
  const launcher = `${root}/shared/sandbox/launcher/build/envicutor-launcher-sanitize`;
  return { ENVICUTOR_TEST_LAUNCHER: launcher, ASAN_OPTIONS: 'quarantine_size_mb=8' };
}

interface Count {
  passed: number;
  failed: number;
  skipped: number;
  durationMs: number;
  /** Each failed test that isn't only a parent of one, with its cause: a long log is read from its end. */
  failures: string[];
}

const CAUSE_CHARACTERS = 400;

const emptyCount = (): Count => ({ passed: 0, failed: 0, skipped: 0, durationMs: 0, failures: [] });

/** Runs one folder with the specification reporter on standard output. */
async function runFolder(folder: string): Promise<Count> {
  const { files: pattern, variables } = selections[folder] ?? { files: `${folder}/**/*`, variables: {} };
  const files = globSync(`test/${pattern}.test.ts`, { cwd: root }).map((file) => `${root}/${file}`);
  const count = emptyCount();
  if (files.length === 0) return count;
  const before = { ...process.env };
  Object.assign(process.env, variables);
  // Else one file at a time: sandboxes of two files on a small machine would measure each other.
  const pairs = atOnce[folder] === undefined ? files.filter((file) => inPairs.test(file)) : [];
  const others = files.filter((file) => !pairs.includes(file));
  await runFiles(pairs.sort(), 2, count);
  await runFiles(others.sort(), atOnce[folder] ?? 1, count);
  for (const name of Object.keys(variables)) delete process.env[name];
  Object.assign(process.env, before);
  return count;
}

/** Adds what these files did. */
async function runFiles(files: string[], concurrency: number | true, count: Count): Promise<void> {
  if (files.length === 0) return;
  const events = run({ files, concurrency });
  events.on('test:summary', ({ file, counts, duration_ms }) => {
    if (file !== undefined) return;
    count.passed += counts.passed;
    count.failed += counts.tests - counts.passed - counts.skipped - counts.todo;
    count.skipped += counts.skipped + counts.todo;
    count.durationMs += duration_ms;
  });
  events.on('test:fail', ({ name, file, details }) => {
    if ((details.error as { failureType?: string }).failureType === 'subtestsFailed') return;
    const said = describeFailure(details.error)
      .trim()
      .replaceAll(/\s*\n\s*/g, ' | ')
      .slice(0, CAUSE_CHARACTERS);
    count.failures.push(`failed: ${file?.replace(`${root}/`, '') ?? ''}: ${name}: ${said}`);
  });
  for await (const text of events.compose(spec)) process.stdout.write(text);
}

function describeCount(folder: string, count: Count): string {
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  const seconds = (count.durationMs / 1000).toFixed(1);
  return `${folder.padEnd(12)} ${count.passed} passed, ${count.failed} failed${skipped}, ${seconds} s`;
}

// Long tests say there what they did (support/ledger.ts).
const ledger = `${root}/test/results/ledger-${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}.txt`;
process.env['ENVICUTOR_TEST_LEDGER'] ??= ledger;
const asked = process.argv.slice(2);
const chosen: readonly string[] = asked.length > 0 ? asked : folders;
const lines: string[] = [];
const total = emptyCount();
for (const folder of chosen) {
  process.stdout.write(`\ntest/${folder}\n`);
  const count = await runFolder(folder);
  lines.push(describeCount(folder, count));
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  total.durationMs += count.durationMs;
  total.failures.push(...count.failures);
  if (count.failed > 0) break;
}
if (existsSync(ledger)) process.stdout.write(`\nledger (${ledger})\n${readFileSync(ledger, 'utf8')}`);
if (total.failures.length > 0) process.stdout.write(`\n${total.failures.join('\n')}\n`);
process.stdout.write(`\n${lines.join('\n')}\n${describeCount('total', total)}\n`);
if (total.skipped > 0) process.stdout.write('a skipped test counts as a failure here: its reason stands above\n');
process.exitCode = total.failed > 0 || total.skipped > 0 ? 1 : 0;
