/**
 * Owns the proof that a launcher may be killed at any moment: while eight clients run programs, it gets SIGKILL again and again; its runs are
 * lost as ours, no program gets a wrong verdict, its successor finds and leaves nothing. Moments follow from the seed, which is printed.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { SystemError } from '../../shared/errors.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import { atRest } from '../support/launcher-vitals.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { leftBehind } from '../support/left-behind.ts';
import { nextDeed } from '../support/program-mix.ts';
import { addAttacks } from '../support/program-runs.ts';
import { RealLauncher } from '../support/real-launcher.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const CLIENTS = 8;
const kills = howMany('ENVICUTOR_CHAOS_LAUNCHER_KILLS', 20, 500);

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-chaos');
  await addAttacks(launcher.sandbox);
});
after(() => launcher.stop());

/** What the clients of one launcher's life did. */
class Life {
  done = 0;
  lost = 0;
  isOver = false;
  #wanted = 0;
  #reached = Promise.withResolvers<void>();

  /** Resolves when so many deeds are done, or lost. */
  reached(deeds: number): Promise<void> {
    this.#wanted = deeds;
    if (this.done >= deeds) this.#reached.resolve();
    return this.#reached.promise;
  }

  came(): void {
    if (++this.done >= this.#wanted) this.#reached.resolve();
  }
}

/** The kill may come before a client's first frame is answered: the successor answers. */
async function dial(): Promise<Sandbox> {
  for (;;) {
    try {
      return await connectLauncher({ socketPath: launcher.socketPath });
    } catch (cause) {
      if (!(cause instanceof SystemError) || cause.code !== 'launcher-unavailable') throw cause;
      await wait(1);
    }
  }
}

async function live(random: SeededNumbers, life: Life): Promise<void> {
  const sandbox = await dial();
  while (!life.isOver) {
    const deed = nextDeed(random);
    try {
      await deed.act(sandbox);
      life.came();
    } catch (cause) {
      // The one way in which our own failure may look: anything else would be a verdict that the program did not earn.
      const isOurs = cause instanceof SystemError && cause.code === 'launcher-unavailable';
      if (!isOurs) throw new Error(`seed ${testSeed}, ${deed.name}`, { cause });
      life.lost++;
      await wait(1);
    }
  }
  await sandbox.close();
}

async function untilNothingIsLeft(killed: readonly number[]): Promise<void> {
  let left = leftBehind(launcher, killed);
  // A killed process needs a moment to be gone; removal of trees goes on behind.
  for (let tries = 0; left.length > 0 && tries < 500; tries++) {
    await wait(10);
    left = leftBehind(launcher, killed);
  }
  assert.deepEqual(left, [], `seed ${testSeed}`);
}

test(`a launcher that is killed ${kills} times leaves nothing, and no program gets a verdict for it`, async (context) => {
  context.diagnostic(`seed ${testSeed}`);
  const from = performance.now();
  const moments = new SeededNumbers(`${testSeed} moments`);
  const clean = await atRest(launcher);
  const killed: number[] = [];
  const sum = { done: 0, lost: 0 };
  for (let kill = 0; kill < kills; kill++) {
    const life = new Life();
    const clients = Array.from({ length: CLIENTS }, (_, client) =>
      live(new SeededNumbers(`${testSeed} kill ${kill} client ${client}`), life),
    );
    const all = Promise.all(clients);
    await Promise.race([life.reached(moments.below(40)), all]);
    await wait(moments.below(30));
    killed.push(launcher.processId);
    await launcher.restart();
    life.isOver = true;
    await all;
    sum.done += life.done;
    sum.lost += life.lost;
    const vitals = await atRest(launcher);
    await untilNothingIsLeft(killed);
    for (const name of [
      'mounts',
      'mounts of the host',
      'IPC objects',
      'keys',
      'shared files',
      'files of the store',
      'files of the folder',
    ])
      assert.equal(vitals[name], clean[name], `${name}; seed ${testSeed}, kill ${kill}`);
  }
  context.diagnostic(`${sum.done} deeds came out right, ${sum.lost} were lost and said so`);
  noteInLedger('launcher kills', {
    kills,
    ...sum,
    seed: testSeed,
    seconds: ((performance.now() - from) / 1000).toFixed(0),
  });
  assert.ok(sum.lost >= kills / 2, `only ${sum.lost} runs were hit`);
});
