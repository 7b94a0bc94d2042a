/**
 * Owns the search for new fuzz inputs: each target of the launcher, built by clang with libFuzzer and sanitizers, for a million inputs that
 * follow from the seed. An input that breaks a promise is kept in test/results and printed as base64. Runs in make test-deep only.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { writeSeeds } from '../support/fuzz-seeds.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const run = promisify(execFile);
const launcher = new URL('../../shared/sandbox/launcher/', import.meta.url).pathname;
const results = new URL('../results/', import.meta.url).pathname;
const inputs = howMany('ENVICUTOR_FUZZ_INPUTS', 1_000_000, 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'envicutor-fuzz-'));
const targets = writeSeeds(folder);
/** libFuzzer takes 0 as "choose one yourself". */
const seed = 1 + new SeededNumbers(testSeed).below(0x7fff_ffff);

before(async () => {
  mkdirSync(results, { recursive: true });
  await run('make', ['--silent', '--jobs=2', '-C', launcher, 'fuzz']);
});
after(() => rmSync(folder, { recursive: true }));

for (const target of targets) {
  test(`the launcher's ${target.replaceAll('_', ' ')}: ${inputs} new inputs break no promise and touch no foreign memory`, async (context) => {
    const from = performance.now();
    const found = join(folder, `${target}-found`);
    mkdirSync(found);
    const kept = [join(folder, target), join(launcher, 'fuzz/corpus', target)].filter((path) => existsSync(path));
    const words = [`-runs=${inputs}`, `-seed=${seed}`, '-verbosity=0', '-print_final_stats=1', '-rss_limit_mb=4096'];
    const command = [...words, `-artifact_prefix=${results}${target}-`, found, ...kept];
    const { stderr } = await run(join(launcher, 'build/libfuzzer', target), command, { maxBuffer: 1 << 28 });
    const [, executed = '0'] = /stat::number_of_executed_units:\s+(\d+)/.exec(stderr) ?? [];
    const seconds = ((performance.now() - from) / 1000).toFixed(0);
    context.diagnostic(`${executed} inputs, seed ${seed}, ${seconds} s`);
    noteInLedger(`fuzz ${target}`, { inputs: executed, seed, seconds });
    assert.ok(Number(executed) >= inputs, stderr.slice(-2000));
  });
}
