/**
 * Owns the proof that a launch with an output window is held back by whoever does not take its output, and nobody beside it is.
 * Runs real programs in the real launcher; needs root.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { Launch, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { RealLauncher } from '../support/real-launcher.ts';

const WINDOW = 100_000;
const BYTES = 1_000_000;
const limits = { ...limitDefaults.run, wallTimeMs: 20_000, idleTimeMs: 20_000, outputBytes: 4 * BYTES };
const terminal = { rows: 24, columns: 80 };

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-window');
});
after(() => launcher.stop());

/** A run whose output is counted, and taken only when a test says so. */
class Held {
  readonly launch: Launch;
  bytes = 0;
  #seen: () => void = () => undefined;

  constructor(script: string, changes: Partial<LaunchSpec> = {}) {
    const spec = launchSpec(['/bin/sh', '-c', script], {
      layers: ['base'],
      limits,
      outputWindowBytes: WINDOW,
      ...changes,
    });
    const hear = (chunk: Uint8Array) => {
      this.bytes += chunk.length;
      this.#seen();
    };
    this.launch = launcher.sandbox.launch(spec, { stdout: hear, stderr: hear });
  }

  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes) await new Promise<void>((resolve) => (this.#seen = resolve));
  }
}

const quick = (script: string) =>
  launcher.sandbox.launch(launchSpec(['/bin/sh', '-c', script], { layers: ['base'] })).report;

for (const [title, changes] of [
  ['pipes', {}],
  ['a terminal', { terminal }],
] as const)
  test(`with ${title} exactly the window comes, and more only for what was taken`, async () => {
    const held = new Held(`head -c ${BYTES} /dev/zero; head -c 10 /dev/zero >&2`, changes);
    await held.until(WINDOW);
    // A neighbour's whole run goes by on the same connection.
    const { exitCode } = await quick('head -c 200000 /dev/zero; exit 3');
    assert.deepEqual([exitCode, held.bytes], [3, WINDOW]);
    held.launch.taken(1);
    await held.until(WINDOW + 1);
    await quick('exit 0');
    assert.equal(held.bytes, WINDOW + 1);
    for (let taken = 1; held.bytes < BYTES; taken += 50_000) {
      held.launch.taken(50_000);
      await held.until(Math.min(BYTES, WINDOW + taken + 50_000));
    }
    const { end, stdoutBytes, stderrBytes } = await held.launch.report;
    assert.deepEqual([end, stdoutBytes + stderrBytes, held.bytes], ['exited', BYTES + 10, BYTES + 10]);
  });

test('the report of a program that is dead waits for nobody: what it left behind comes at once', async () => {
  const held = new Held('head -c 60000 /dev/zero', { outputWindowBytes: 50_000, terminal: null });
  const { end, stdoutBytes } = await held.launch.report;
  assert.deepEqual([end, stdoutBytes, held.bytes], ['exited', 60_000, 60_000]);
});

test('a program that is held back is ended as ever: by its client, and by its limits', async () => {
  const killed = new Held('yes', { terminal });
  await killed.until(WINDOW);
  killed.launch.kill();
  assert.equal((await killed.launch.report).end, 'client');
  const idle = new Held('yes', { terminal, limits: { ...limits, idleTimeMs: 300 } });
  assert.equal((await idle.launch.report).exceeded?.limit, 'idleTimeMs');
});
