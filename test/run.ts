/**
 * Owns the order in which the test folders run, and the closing count: `node test/run.ts [folder...]`.
 * Never decides what a test needs: make prepares the machine before.
 * Invariant: a failed, cancelled or skipped test makes the exit code 1, and the folders after a failing one do not run.
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** Cheapest first, so that a mistake is found early. */
const folders = ['house', 'unit', 'contract', 'integration', 'sandbox', 'end-to-end'] as const;

interface Count {
  passed: number;
  failed: number;
  skipped: number;
  durationMs: number;
}

/** Runs one folder with the specification reporter on standard output. */
async function runFolder(folder: string, root: string): Promise<Count> {
  const files = globSync(`test/${folder}/**/*.test.ts`, { cwd: root }).map((file) => `${root}/${file}`);
  const count: Count = { passed: 0, failed: 0, skipped: 0, durationMs: 0 };
  if (files.length === 0) return count;
  // One file at a time: sandboxes of two files on a small machine would measure each other.
  const events = run({ files: files.sort(), concurrency: folder === 'unit' || folder === 'contract' ? true : 1 });
  events.on('test:summary', ({ file, counts, duration_ms }) => {
    if (file !== undefined) return;
    count.passed = counts.passed;
    count.failed = counts.tests - counts.passed - counts.skipped - counts.todo;
    count.skipped = counts.skipped + counts.todo;
    count.durationMs = duration_ms;
  });
  for await (const text of events.compose(spec)) process.stdout.write(text);
  return count;
}

function describeCount(folder: string, count: Count): string {
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  const seconds = (count.durationMs / 1000).toFixed(1);
  return `${folder.padEnd(12)} ${count.passed} passed, ${count.failed} failed${skipped}, ${seconds} s`;
}

const root = new URL('..', import.meta.url).pathname.replace(/\/$/, '');
const asked = process.argv.slice(2);
const chosen: readonly string[] = asked.length > 0 ? asked : folders;
const lines: string[] = [];
const total: Count = { passed: 0, failed: 0, skipped: 0, durationMs: 0 };
for (const folder of chosen) {
  process.stdout.write(`\ntest/${folder}\n`);
  const count = await runFolder(folder, root);
  lines.push(describeCount(folder, count));
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  total.durationMs += count.durationMs;
  if (count.failed > 0) break;
}
process.stdout.write(`\n${lines.join('\n')}\n${describeCount('total', total)}\n`);
if (total.skipped > 0) process.stdout.write('a skipped test counts as a failure here: its reason stands above\n');
process.exitCode = total.failed > 0 || total.skipped > 0 ? 1 : 0;
