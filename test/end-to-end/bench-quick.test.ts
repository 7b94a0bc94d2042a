/**
 * Owns the proof that every scenario of the benchmark suite works: all of them asked once in the quick way, each answers, and the report shows them all.
 * Never looks at a figure: a quick run has none.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { scenarios } from '../../bench/catalogue.ts';
import { readRecording } from '../../bench/recording/recording.ts';

const bench = join(import.meta.dirname, '../../bench/bench');
const folder = mkdtempSync(join(tmpdir(), 'envicutor-bench-quick-'));
after(() => rmSync(folder, { recursive: true }));

async function run(...args: readonly string[]): Promise<number | null> {
  const child = spawn(bench, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

test('every scenario answers its question in the quick way, and the report shows every answer', async () => {
  const recording = join(folder, 'quick.json');
  const code = await run('run', '--quick', '--output', recording);
  const { isComplete, scenarios: answers } = readRecording(recording);
  for (const { name, problem } of answers) assert.equal(problem, null, name);
  assert.deepEqual([code, isComplete], [0, true]);
  assert.deepEqual(answers.map(({ name }) => name).sort(), scenarios.map(({ name }) => name).sort());
  for (const { name, rows, plots } of answers) {
    const labels = new Set(rows.map(({ label }) => label));
    assert.equal(labels.size, rows.length, `${name}: two rows have one label`);
    const drawn = plots.flatMap((plot) => {
      if (plot.kind === 'split') return plot.bars.flatMap(({ parts }) => parts.map(({ row }) => row));
      if (plot.kind === 'curve') return plot.lines.flatMap(({ points }) => points.map(({ row }) => row));
      return plot.rows;
    });
    for (const row of drawn) assert.ok(labels.has(row), `${name}: draws '${row}', which is no row`);
  }
  assert.equal(await run('report', recording, '--html', 'quick.html'), 0);
  const page = readFileSync(join(folder, 'quick.html'), 'utf8');
  for (const { name } of scenarios) assert.ok(page.includes(name), name);
});
