/**
 * Owns the proof of limits as people write them. Pure.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitWords, readLimits } from '../../client/cli/limit-words.ts';
import { limitNames } from '../../shared/model/limits.ts';

test('there is one word for each limit', () => {
  assert.deepEqual(Object.values(limitWords).sort(), [...limitNames].sort());
});

test('times, sizes and counts have units, and the own names of limits are taken', () => {
  const { limits, problems } = readLimits(
    'cpu=1.5s, wall=2m,idle=250,memory=256MiB,output=16m,stack=64k,disk=1g,processes=10,openFiles=7',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(limits, {
    ...{ cpuTimeMs: 1500, wallTimeMs: 120_000, idleTimeMs: 250, memoryBytes: 256 * 2 ** 20, outputBytes: 16 * 2 ** 20 },
    ...{ stackBytes: 65_536, diskBytes: 2 ** 30, processes: 10, openFiles: 7 },
  });
  assert.deepEqual(readLimits(''), { limits: {}, problems: [] });
});

test('what is no limit, no amount, or there twice is told', () => {
  const { limits, problems } = readLimits('cpu=fast,memroy=1g,wall=1s,wall=2s,processes=2k,memory=0,output');
  assert.deepEqual(limits, { wallTimeMs: 1000 });
  assert.deepEqual(problems, [
    "the limit cpu is 'fast': give a time such as 500ms, 2s or 1m",
    'there is no limit memroy; did you mean memory?',
    'the limit wall is given twice',
    "the limit processes is '2k': give a whole number, at least 1",
    "the limit memory is '0': give a size such as 64k, 256m or 1g",
    "the limit output is '': give a size such as 64k, 256m or 1g",
  ]);
});
