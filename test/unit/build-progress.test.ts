/**
 * Owns the proof that a build's progress is told a few times a second, with a fraction where the whole is known.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgress } from '../../coordinator/builder/progress.ts';
import type { BuildEvent } from '../../shared/model/build.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

test('progress is told at intervals; the fraction is of what is expected, also when that is learned on the way', () => {
  const clock = new VirtualClock();
  const said: BuildEvent[] = [];
  const parents = createProgress('fetching-parents', (event) => said.push(event), clock, null);
  const capture = createProgress('capturing', (event) => said.push(event), clock, 40);
  const running = createProgress('running', (event) => said.push(event), clock, null);
  parents(1, 10);
  clock.pass(250);
  parents(5, 10);
  parents(6, 10);
  capture(10);
  capture(11);
  running(7);
  clock.pass(250);
  capture(50);
  assert.deepEqual(said, [
    { type: 'progress', phase: 'fetching-parents', bytes: 5, fraction: 0.5 },
    { type: 'progress', phase: 'capturing', bytes: 10, fraction: 0.25 },
    { type: 'progress', phase: 'running', bytes: 7, fraction: null },
    { type: 'progress', phase: 'capturing', bytes: 50, fraction: 1 },
  ]);
});
