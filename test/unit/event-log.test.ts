/**
 * Owns the proof that an event log remembers what its bound allows, gives every number once, and costs the same per event however long it is:
 * what a script prints byte by byte must not stop the coordinator.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLog, LAST_NUMBER, type LoggedEvent, numberFrom } from '../../shared/http/event-log.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

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
      [LAST_NUMBER, 'finished'],
    ],
  );
});

// With a list whose first is taken away for each event this takes a minute, else a part of a second.
test('half a million small events pass through a log that remembers sixty thousand', { timeout: 30_000 }, () => {
  const log = new EventLog(4 * 1024 ** 2);
  for (let at = 0; at < 500_000; at += 1) log.append('a', null, 65);
  assert.equal(numbersOf(log).length, Math.floor((4 * 1024 ** 2) / 65));
});

test('whoever reads at his own pace finds each next event, and hears how many are not remembered any more', () => {
  const log = new EventLog(100);
  assert.deepEqual([log.after(0), log.forgottenAfter(0)], [undefined, 0]);
  for (let at = 0; at < 25; at += 1) log.append('a', at, 10);
  assert.deepEqual(
    [log.forgottenAfter(0), log.forgottenAfter(10), log.forgottenAfter(15), log.forgottenAfter(20)],
    [15, 5, 0, 0],
  );
  const read: number[] = [];
  for (let at = 3; ; ) {
    const event = log.after(at);
    if (event === undefined) break;
    read.push(event.number);
    at = event.number;
  }
  assert.deepEqual(read, [16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
  log.close('finished', null);
  assert.equal(log.after(25)?.number, LAST_NUMBER);
  assert.equal(log.after(24)?.number, 25);
  assert.deepEqual([log.after(LAST_NUMBER), log.forgottenAfter(LAST_NUMBER)], [undefined, 0]);
});

test('a log that takes the place of another begins above all of its numbers, so that nothing of it is passed over', () => {
  const clock = new VirtualClock();
  const log = new EventLog(1000, numberFrom(clock));
  for (let at = 0; at < 5000; at += 1) log.append('a', at, 1);
  clock.pass(5);
  const next = new EventLog(1000, numberFrom(clock));
  next.append('again', null);
  assert.ok((next.after(log.last)?.name ?? '') === 'again' && log.last < next.last);
  assert.equal(next.forgottenAfter(log.last), 0);
  const over = new EventLog(0);
  over.close('finished', null);
  assert.deepEqual([over.after(next.last)?.name, over.after(LAST_NUMBER)], ['finished', undefined]);
});
