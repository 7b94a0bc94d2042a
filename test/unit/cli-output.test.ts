/**
 * Owns the proof of a program's output on its way to ours: whole and in order whatever of it came as events, and held back by a slow reader. Streams are real.
 */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { LiveOutput } from '../../client/cli/live-output.ts';
import type { Surroundings } from '../../client/cli/surroundings.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { makeReport } from '../support/lease-results.ts';

function streams(highWaterMark = 65_536) {
  const [stdout, stderr] = [new PassThrough({ highWaterMark }), new PassThrough({ highWaterMark })];
  const output = new LiveOutput({ stdout, stderr } as unknown as Surroundings);
  const written = async () => {
    stdout.end();
    stderr.end();
    return [await text(stdout), await text(stderr)];
  };
  return { output, stdout, written };
}

const piece = (type: 'stdout' | 'stderr', data: string, script = 'run') =>
  ({ type, id: '1', data: { script, data: Buffer.from(data).toString('base64'), encoding: 'base64' } }) as never;
const forgotten = { type: 'forgotten', id: '', data: { events: 3 } } as never;
const requeued = { type: 'stage', id: '1', data: { stage: 'queued', cause: 'requeued' } } as never;
const answer = (stdout: string, stderr = '') =>
  ({ compile: null, run: { ...makeReport(), stdout, stderr } }) as unknown as Execution;

test('what was forgotten between comes with the answer, nothing twice and nothing out of order', async () => {
  const { output, written } = streams();
  for (const event of [piece('stdout', 'ab'), piece('stderr', 'x'), forgotten, piece('stdout', 'ef')])
    await output.hear(event);
  await output.finish(answer('abcdef', 'xyz'));
  assert.deepEqual(await written(), ['abcdef', 'xyz']);
});

test('a run that begins anew is written from its beginning; what a compiler says goes to standard error', async () => {
  const { output, written } = streams();
  for (const event of [
    piece('stdout', 'warning\n', 'compile'),
    piece('stdout', 'one'),
    requeued,
    piece('stdout', 'one'),
    piece('stdout', 'two'),
  ])
    await output.hear(event);
  await output.finish(answer('onetwothree'));
  assert.deepEqual(await written(), ['oneonetwothree', 'warning\n']);
});

test('a reader that is behind holds the next event back; one that is gone holds nobody', async () => {
  const { output, stdout } = streams(4);
  let isHeard = false;
  const heard = output.hear(piece('stdout', 'more than fits')).then(() => {
    isHeard = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isHeard, false);
  stdout.read();
  await heard;
  const last = output.hear(piece('stdout', 'nobody reads this'));
  stdout.destroy();
  await last;
  await output.hear(piece('stdout', 'nor this'));
});
