/**
 * Owns the proof that an event log remembers what its bound allows, gives every number once, and costs the same per event however long it is:
 * what a script prints byte by byte must not stop the coordinator.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLog, type LoggedEvent } from '../../shared/http/event-log.ts';

const numbersOf = (log: EventLog, after = 0): number[] => {
  const numbers: number[] = [];
  log.follow(after, ({ number }) => numbers.push(number))();
  return numbers;
};

test('above its bound the oldest events go first, one after the other, and never the newest', () => {
  const log = new EventLog(10_000);
  for (let number = 1; number <= 3000; number += 1) {
    log.append('a', number, 10);
    if (number % 97 !== 0) continue;
    const remembered = numbersOf(log);
    const first = Math.max(1, number - 999);
    assert.deepEqual([remembered.length, remembered[0], remembered.at(-1)], [number - first + 1, first, number]);
  }
  assert.deepEqual(numbersOf(log, 2998), [2999, 3000]);
  log.append('a', null, 20_000);
  assert.deepEqual(numbersOf(log), [3001]);
});

test('a listener hears every event once, those before it came and those after, until the last', () => {
  const log = new EventLog(1000);
  const heard: LoggedEvent[] = [];
  for (let at = 0; at < 5; at += 1) log.append('before', at, 100);
  log.follow(2, (event) => heard.push(event));
  log.append('after', null, 100);
  log.close('finished', null);
  log.append('late', null);
  assert.deepEqual(
    heard.map(({ number, name }) => [number, name]),
    [
      [3, 'before'],
      [4, 'before'],
      [5, 'before'],
      [6, 'after'],
      [7, 'finished'],
    ],
  );
});

// With a list whose first is taken away for each event this takes a minute, else a part of a second.
test('half a million small events pass through a log that remembers sixty thousand', { timeout: 30_000 }, () => {
  const log = new EventLog(4 * 1024 ** 2);
  for (let at = 0; at < 500_000; at += 1) log.append('a', null, 65);
  assert.equal(numbersOf(log).length, Math.floor((4 * 1024 ** 2) / 65));
});
