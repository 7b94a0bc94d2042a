/**
 * Owns the proof of an agent's files: fetched once at a time, apart for each tenant, the least recently used going first and never one that is in use.
 * The fetcher is a fake; the real one is proven in layer-fetcher.test.ts.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { AgentFiles, acquireFiles, noFiles } from '../../agent/files/agent-files.ts';
import { SystemError } from '../../shared/errors.ts';
import type { FetchedBlob } from '../../shared/layers/layer-fetcher.ts';
import type { OrderInput } from '../../shared/protocol/coordinator-messages.ts';

const input = (name: string, bytes = 10): OrderInput => ({
  file: `file_${name}`,
  sha256: `sha256:${name}`,
  bytes,
  url: name,
});

/** Fetches what its URL says; `open` are the blobs that nobody has closed. */
class FakeFetcher {
  readonly fetched: string[] = [];
  readonly open = new Set<string>();
  failure: SystemError | null = null;

  async fetch(url: string): Promise<FetchedBlob> {
    this.fetched.push(url);
    await new Promise(setImmediate);
    if (this.failure !== null) throw this.failure;
    this.open.add(url);
    const close = async () => void this.open.delete(url);
    return { bytes: 10, read: () => Readable.from([Buffer.from(url)]), close };
  }

  async close(): Promise<void> {
    this.failure = new SystemError('object-store-unavailable', 'closed');
  }
}

function prepare(bytesMax = 25) {
  const fetcher = new FakeFetcher();
  return { fetcher, files: new AgentFiles(fetcher as never, { bytesMax }) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('orders that ask at the same time, and those after them, share one download', async () => {
  const { fetcher, files } = prepare();
  const both = await Promise.all([files.acquire([input('a')], 'one'), files.acquire([input('a')], 'one')]);
  for (const { release } of both) release();
  const third = await files.acquire([input('a')], 'one');
  assert.equal(await text(third.streamOf('file_a')), 'a');
  assert.equal(String(await third.bytesOf('file_a')), 'a');
  await assert.rejects(async () => third.bytesOf('file_b'), { code: 'message-invalid' });
  assert.deepEqual(fetcher.fetched, ['a']);
});

test('what one tenant has here another one fetches for itself', async () => {
  const { fetcher, files } = prepare();
  for (const tenant of ['one', 'two']) (await files.acquire([input('a')], tenant)).release();
  assert.deepEqual(fetcher.fetched, ['a', 'a']);
});

test('the least recently used goes when there is no room, and what is in use stays until it is let go', async () => {
  const { fetcher, files } = prepare();
  const a = await files.acquire([input('a')], 'one');
  (await files.acquire([input('b')], 'one')).release();
  (await files.acquire([input('c')], 'one')).release();
  await settled();
  assert.deepEqual([...fetcher.open].sort(), ['a', 'b', 'c'], 'a is in use');
  assert.equal(files.keptBytes, 20);
  assert.equal(await text(a.streamOf('file_a')), 'a');
  a.release();
  a.release();
  await settled();
  assert.deepEqual([...fetcher.open].sort(), ['b', 'c']);
  (await files.acquire([input('b')], 'one')).release();
  (await files.acquire([input('d')], 'one')).release();
  await settled();
  assert.deepEqual([...fetcher.open].sort(), ['b', 'd'], 'b was used after c');
});

test('a file larger than all that may be kept is used and not kept', async () => {
  const { fetcher, files } = prepare();
  const large = await files.acquire([input('a', 26)], 'one');
  assert.equal(await text(large.streamOf('file_a')), 'a');
  large.release();
  await settled();
  assert.deepEqual([[...fetcher.open], files.keptBytes], [[], 0]);
});

test('a download that fails fails everybody who waits, under a name of its own, and the next one tries again', async () => {
  const { fetcher, files } = prepare();
  fetcher.failure = new SystemError('layer-corrupt', 'other bytes');
  const both = [files.acquire([input('b'), input('a')], 'one'), files.acquire([input('a')], 'one')];
  for (const { status, reason } of (await Promise.allSettled(both)) as PromiseRejectedResult[]) {
    assert.deepEqual([status, reason.code], ['rejected', 'file-corrupt']);
  }
  fetcher.failure = null;
  (await files.acquire([input('a')], 'one')).release();
  await files.close();
  await settled();
  assert.deepEqual([...fetcher.open], []);
  await assert.rejects(files.acquire([input('z')], 'one'), { code: 'object-store-unavailable' });
});

test('files of a workspace are in memory, others are not', async () => {
  const { files } = prepare();
  const named = [
    { path: 'x', file: 'file_a' as const },
    { path: 'y', content: '' },
  ];
  const acquired = await acquireFiles(files, { tenantId: 'one', inputs: [input('a'), input('b')], files: named });
  assert.equal(String(acquired.contentOf('file_a')), 'a');
  assert.throws(() => acquired.contentOf('file_b'), { code: 'message-invalid' });
  acquired.release();
  assert.throws(() => acquired.contentOf('file_a'), { code: 'message-invalid' });
});

test('an agent without a place for files refuses what an order names', async () => {
  assert.equal(await acquireFiles(undefined, { tenantId: 'one', files: [] }), noFiles);
  await assert.rejects(async () => noFiles.bytesOf('file_a'), { code: 'message-invalid' });
});
