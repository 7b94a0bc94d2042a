/**
 * Owns the proof that results that nobody could be told outlive the agent's process, and that the disk is not touched while somebody can.
 * Never connects anything.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KeptResults } from '../../agent/connection/kept-results.ts';
import { Outbox } from '../../agent/connection/outbox.ts';
import { silentLogger } from '../../shared/logger.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { makeResult } from '../support/lease-results.ts';

const bounds = { entriesMax: 10, bytesMax: 1e6 };
const entry = (lease: string, fence: number) => {
  return { lease, fence, text: encodeMessage({ type: 'lease.completed', lease, fence, result: makeResult() }) };
};

async function openFolder(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-results-'));
  context.after(() => rm(folder, { recursive: true }));
  return { folder, open: () => KeptResults.open(folder, silentLogger), files: () => readdir(join(folder, 'results')) };
}

test('what is not told while the coordinator is away is there for the next process, in order, until it is forgotten', async (context) => {
  const { open, files } = await openFolder(context);
  const kept = await open();
  const outbox = new Outbox(bounds, kept);
  outbox.back();
  for (const [lease, fence] of [
    ['lease_b', 2],
    ['lease_a', 1],
  ] as const)
    outbox.add(entry(lease, fence));
  await kept.settled();
  assert.deepEqual(await files(), [], 'on a connection that works nothing is written');
  outbox.away();
  outbox.add(entry('lease_c', 3));
  outbox.away();
  await kept.settled();
  assert.equal((await files()).length, 3);
  const again = await open();
  const next = new Outbox(bounds, again);
  assert.deepEqual(next.entries(), [entry('lease_a', 1), entry('lease_b', 2), entry('lease_c', 3)]);
  next.back();
  next.forget('lease_b');
  next.forget('lease_c');
  await again.settled();
  assert.deepEqual((await open()).before, [entry('lease_a', 1)]);
});

test('a record that is no result of its lease is not told to anybody', async (context) => {
  const { folder, open, files } = await openFolder(context);
  const kept = await open();
  new Outbox(bounds, kept).add(entry('lease_a', 1));
  await kept.settled();
  const [name = ''] = await files();
  const path = join(folder, 'results', name);
  const text = await readFile(path, 'utf8');
  await writeFile(`${path}.new`, 'half');
  await writeFile(path, text.replace('"lease":"lease_a"', '"lease":"lease_x"'));
  assert.deepEqual((await open()).before, []);
  await writeFile(path, '{');
  assert.deepEqual((await open()).before, []);
  await writeFile(path, text);
  assert.equal((await open()).before.length, 1);
});
