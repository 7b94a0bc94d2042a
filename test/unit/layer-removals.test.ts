/**
 * Owns the proof that a layer that is to go does go, however often its launcher can't do it, and that no other takes its name before.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';
import { SystemError } from '../../shared/errors.ts';
import { LayerRemovals } from '../../shared/layers/layer-removals.ts';
import { silentLogger } from '../../shared/logger.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** A store with these layers whose launcher may be away, or be killed between the deed and its answer. */
function setStore(...names: readonly string[]) {
  const layers = new Set(names);
  const launcher = { is: 'there' as 'there' | 'away' | 'killed' };
  const store = {
    list: async () => {
      if (launcher.is === 'away') throw new SystemError('launcher-unavailable', 'simulated');
      return [...layers];
    },
    remove: async (name: string) => {
      if (launcher.is === 'away') throw new SystemError('launcher-unavailable', 'simulated');
      if (!layers.delete(name)) throw new SystemError('sandbox-failed', 'ENOENT');
      if (launcher.is === 'killed') throw new SystemError('launcher-unavailable', 'simulated');
    },
  };
  const clock = new VirtualClock();
  return { layers, launcher, clock, removals: new LayerRemovals({ store, clock, logger: silentLogger }) };
}

test('what could not be removed is tried again until it is gone', async () => {
  const { layers, launcher, clock, removals } = setStore('one', 'two');
  launcher.is = 'away';
  for (const name of layers) removals.remove(name);
  for (let time = 0; time < 3; time += 1) {
    await settled();
    clock.pass(60_000);
  }
  assert.equal(layers.size, 2);
  launcher.is = 'there';
  await settled();
  clock.pass(60_000);
  await settled();
  assert.equal(layers.size, 0);
  await removals.gone('one');
});

test('nobody takes the name of a layer that is to go before it is gone', async () => {
  const { layers, launcher, removals } = setStore('one');
  launcher.is = 'away';
  removals.remove('one');
  await assert.rejects(removals.gone('one'), ({ code }: SystemError) => code === 'sandbox-failed');
  launcher.is = 'there';
  await removals.gone('one');
  assert.equal(layers.size, 0);
  await removals.stop();
});

test('a removal that was done and could not be answered is over', async () => {
  const { launcher, removals } = setStore('one');
  launcher.is = 'killed';
  removals.remove('one');
  await settled();
  launcher.is = 'there';
  await removals.gone('one');
  await removals.stop();
});
