/**
 * Owns the soak: eight clients of one launcher run thousands of programs, hostile ones among them, and every outcome is the right one; what the
 * launcher holds at rest is the same in the second half as in the first. Never compares durations. Needs root and gcc.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import { atRest, type Vitals } from '../support/launcher-vitals.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { nextDeed } from '../support/program-mix.ts';
import { addAttacks } from '../support/program-runs.ts';
import { RealLauncher } from '../support/real-launcher.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const CLIENTS = 8;
const RESTS = 10;
const runs = howMany('ENVICUTOR_SOAK_RUNS', 2000, 20_000);
/** Between the halves' means: a burst makes the heap a step higher for good, a leak by more the more runs there are. */
const HEAP_DRIFT_BYTES_MAX = 524_288;
/** Idle ones that the launcher keeps for its next sandboxes (ids.c), and those in use. */
const ID_LOCKS_MAX = 64 + 4;
/** What a sanitizer keeps of freed memory is no leak of ours. */
const isSanitized = (process.env['ENVICUTOR_TEST_LAUNCHER'] ?? '').includes('sanitize');

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-soak');
  await addAttacks(launcher.sandbox);
});
after(() => launcher.stop());

/** One client's share of a stretch: deeds one after another; now and then it goes and comes again. */
async function soakOne(random: SeededNumbers, share: number): Promise<number> {
  let done = 0;
  let sandbox: Sandbox = await connectLauncher({ socketPath: launcher.socketPath });
  while (done < share) {
    const deed = nextDeed(random);
    await deed.act(sandbox).catch((cause) => {
      throw new Error(`seed ${testSeed}, ${deed.name}`, { cause });
    });
    done += deed.launches;
    if (random.below(50) > 0) continue;
    await sandbox.close();
    sandbox = await connectLauncher({ socketPath: launcher.socketPath });
  }
  await sandbox.close();
  return done;
}

function range(rests: readonly Vitals[], name: string): { mean: number; highest: number } {
  const values = rests.map((vitals) => vitals[name] ?? 0);
  return { mean: values.reduce((a, b) => a + b) / values.length, highest: Math.max(...values) };
}

/** Names of what grew, with both figures. */
function grown(first: readonly Vitals[], second: readonly Vitals[]): string[] {
  const names = new Set([...first, ...second].flatMap((vitals) => Object.keys(vitals)));
  return [...names].flatMap((name) => {
    const [before, after] = [range(first, name), range(second, name)];
    const said = [`${name}: ${JSON.stringify(before)}, then ${JSON.stringify(after)}`];
    if (name === 'heap bytes') return !isSanitized && after.mean > before.mean + HEAP_DRIFT_BYTES_MAX ? said : [];
    // As many sandboxes at once as chance has it; bounded all the same.
    if (name === 'descriptors: id locks') return after.highest > ID_LOCKS_MAX ? said : [];
    return after.highest > before.highest ? said : [];
  });
}

test(`${runs} runs by ${CLIENTS} clients, hostile ones among them, come out right and leave the launcher as it was`, async (context) => {
  context.diagnostic(`seed ${testSeed}`);
  const from = performance.now();
  const random = Array.from({ length: CLIENTS }, (_, client) => new SeededNumbers(`${testSeed} client ${client}`));
  const rests: Vitals[] = [];
  let done = 0;
  for (let rest = 0; rest < RESTS; rest++) {
    const shares = await Promise.all(random.map((own) => soakOne(own, Math.ceil(runs / CLIENTS / RESTS))));
    done += shares.reduce((a, b) => a + b);
    rests.push(await atRest(launcher, launcher.stockMax));
  }
  const [first, second] = [rests.slice(0, RESTS / 2), rests.slice(RESTS / 2)];
  context.diagnostic(`heap bytes ${rests.map((vitals) => vitals['heap bytes']).join(' ')}`);
  context.diagnostic(`${done} runs; at the end ${JSON.stringify(rests.at(-1))}`);
  noteInLedger('soak', {
    runs: done,
    clients: CLIENTS,
    seed: testSeed,
    'heap bytes, first half': range(first, 'heap bytes').highest,
    'second half': range(second, 'heap bytes').highest,
    seconds: ((performance.now() - from) / 1000).toFixed(0),
  });
  assert.deepEqual(grown(first, second), []);
  assert.ok(done >= runs);
});
