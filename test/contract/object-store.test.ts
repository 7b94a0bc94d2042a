/**
 * Owns the contract of the ObjectStore port: one suite, held against the directory store and against a real MinIO.
 * Never looks behind the port; what is particular to one store is tested in test/integration.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { startMinioServer } from '../../ops/minio/private-minio.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { describeBytes, type ObjectStore, type PutOutcome, readObject } from '../../shared/storage/object-store.ts';

/** A store under test; `options` let another process open the same one. */
interface Subject {
  readonly store: ObjectStore;
  readonly options: object;
  stop(): Promise<void>;
}

const MIB = 1024 * 1024;
const hasCode = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code;

async function readAll(store: ObjectStore, key: string): Promise<Buffer | null> {
  const content = await store.get(key);
  return content && (await buffer(content.body));
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await Readable.from(store.list(prefix)).toArray()).map(({ key }) => key);
}

/** The same bytes in chunks, as a network would give them. */
function inChunks(data: Buffer, chunkBytes: number): Readable {
  const starts = Array.from({ length: Math.ceil(data.length / chunkBytes) }, (_, index) => index * chunkBytes);
  return Readable.from(
    starts.map((start) => data.subarray(start, start + chunkBytes)),
    { objectMode: false },
  );
}

async function openDirectory(): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-objects-'));
  const stop = () => rm(folder, { recursive: true, force: true });
  return { store: new DirectoryObjectStore(folder), options: { folder }, stop };
}

async function openMinio(): Promise<Subject> {
  const { stop, endpoint, bucket, region, reader, writer, purger } = await startMinioServer();
  const options = { endpoint, bucket, region, reader, writer, purger };
  return { store: new MinioObjectStore(options), options, stop };
}

/** The bucket of clients' files: no versions, no locks. */
async function openFilesBucket(): Promise<Subject> {
  const { stop, endpoint, region, files } = await startMinioServer();
  const options = { endpoint, region, ...files };
  return { store: new MinioObjectStore(options), options, stop };
}

function reading(subject: () => Subject): void {
  test('an object that was never put is absent, not an error', async () => {
    const { store } = subject();
    assert.equal(await store.get('absent/object'), null);
    assert.equal(await store.head('absent/object'), null);
    assert.equal(await readObject(store, 'absent/object', 10), null);
    assert.deepEqual(await keysOf(store, 'absent/'), []);
    await store.delete('absent/object');
  });

  for (const bytes of [0, 1, 3 * MIB + 17]) {
    test(`${bytes} bytes come back as they were put, from a stream and from memory`, async () => {
      const { store } = subject();
      const data = randomBytes(bytes);
      assert.equal(await store.put(`whole/stream-${bytes}`, inChunks(data, 70_001), describeBytes(data)), 'stored');
      assert.equal(await store.put(`whole/memory-${bytes}`, data, describeBytes(data)), 'stored');
      for (const key of [`whole/stream-${bytes}`, `whole/memory-${bytes}`]) {
        const content = await store.get(key);
        assert.equal(content?.bytes, bytes);
        assert.ok(content && data.equals(await buffer(content.body)));
        const head = await store.head(key);
        assert.equal(head?.bytes, bytes);
        assert.ok(Math.abs((head?.storedAtMs ?? 0) - Date.now()) < 60_000);
      }
    });
  }

  test('a listing holds exactly the keys with the prefix, ordered, with their sizes', async () => {
    const { store } = subject();
    const keys = ['list/a-b/1', 'list/a.txt', 'list/a/2', 'list/a/10', 'list/b', 'lists/c'];
    for (const key of keys) await store.put(key, Buffer.from(key), describeBytes(Buffer.from(key)));
    assert.deepEqual(await keysOf(store, 'list/'), ['list/a-b/1', 'list/a.txt', 'list/a/10', 'list/a/2', 'list/b']);
    assert.deepEqual(await keysOf(store, 'list/a/1'), ['list/a/10']);
    assert.deepEqual(await keysOf(store, 'list'), [...(await keysOf(store, 'list/')), 'lists/c']);
    for await (const { key, bytes } of store.list('list/')) assert.equal(bytes, key.length);
  });

  test('a range is read alone, with the size of the whole', async () => {
    const { store } = subject();
    const data = randomBytes(300_000);
    await store.put('ranged/object', data, describeBytes(data));
    for (const [start, end] of [
      [0, 0],
      [5, 70_000],
      [299_999, 299_999],
      [0, 299_999],
    ] as const) {
      const content = await store.get('ranged/object', { start, end });
      assert.equal(content?.bytes, 300_000);
      assert.ok(content && data.subarray(start, end + 1).equals(await buffer(content.body)));
    }
    assert.equal(await store.get('ranged/absent', { start: 0, end: 1 }), null);
  });

  test('a reader that goes away early does no harm', async () => {
    const { store } = subject();
    const data = randomBytes(3 * MIB);
    await store.put('left/object', data, describeBytes(data));
    (await store.get('left/object'))?.body.destroy();
    for await (const chunk of (await store.get('left/object'))?.body ?? []) if (chunk.length > 0) break;
    assert.deepEqual(await readAll(store, 'left/object'), data);
  });

  test('reading a whole object refuses one that is larger than expected', async () => {
    const { store } = subject();
    await store.put('bounded/object', Buffer.alloc(100), describeBytes(Buffer.alloc(100)));
    assert.equal((await readObject(store, 'bounded/object', 100))?.length, 100);
    await assert.rejects(readObject(store, 'bounded/object', 99), hasCode('layer-corrupt'));
  });
}

function writing(subject: () => Subject): void {
  test('a second put leaves the first object as it was and lets go of its source', async () => {
    const { store } = subject();
    const [first, second] = [Buffer.from('first'), Buffer.from('second')];
    assert.equal(await store.put('once/object', first, describeBytes(first)), 'stored');
    const source = inChunks(second, 3);
    assert.equal(await store.put('once/object', source, describeBytes(second)), 'exists');
    assert.ok(source.destroyed);
    assert.deepEqual(await readAll(store, 'once/object'), first);
  });

  test('of 20 concurrent puts exactly one wins, and its bytes are the object', async () => {
    const { store } = subject();
    for (let round = 0; round < 5; round += 1) {
      const sources = Array.from({ length: 20 }, () => randomBytes(200_000));
      const put = (data: Buffer) => store.put(`race/${round}`, inChunks(data, 50_000), describeBytes(data));
      const outcomes: PutOutcome[] = await Promise.all(sources.map(put));
      assert.deepEqual(outcomes.toSorted(), [...Array(19).fill('exists'), 'stored']);
      assert.deepEqual(await readAll(store, `race/${round}`), sources[outcomes.indexOf('stored')]);
    }
  });

  const data = randomBytes(300_000);
  const lies = {
    'another digest': { bytes: data.length, sha256: describeBytes(Buffer.from('other')).sha256 },
    'fewer bytes': { ...describeBytes(data), bytes: data.length - 1 },
    'more bytes': { ...describeBytes(data), bytes: data.length + 1 },
  };
  for (const [lie, description] of Object.entries(lies)) {
    test(`a source announced with ${lie} is refused and nothing becomes visible`, async () => {
      const { store } = subject();
      const key = `lies/${lie.replace(' ', '-')}`;
      for (const source of [data, inChunks(data, 65_536)]) {
        await assert.rejects(store.put(key, source, description), hasCode('layer-corrupt'));
      }
      assert.equal(await store.head(key), null);
      assert.equal(await store.put(key, data, describeBytes(data)), 'stored');
    });
  }

  test('a source that fails, even before it is read, fails the put and leaves nothing', async () => {
    const { store } = subject();
    async function* breaking() {
      yield data.subarray(0, 200_000);
      throw new Error('the source broke');
    }
    const failing = [() => Readable.from(breaking(), { objectMode: false }), () => createReadStream('/absent/file')];
    for (const openSource of failing) {
      const putting = store.put('broken/object', openSource(), describeBytes(data));
      await assert.rejects(putting, hasCode('object-store-unavailable'));
    }
    assert.equal(await store.head('broken/object'), null);
    assert.deepEqual(await keysOf(store, 'broken/'), []);
  });

  test('a deleted object is gone and may be put again', async () => {
    const { store } = subject();
    await store.put('deleted/object', data, describeBytes(data));
    await store.delete('deleted/object');
    assert.equal(await store.get('deleted/object'), null);
    assert.deepEqual(await keysOf(store, 'deleted/'), []);
    assert.equal(await store.put('deleted/object', data, describeBytes(data)), 'stored');
  });

  test('a key that is not plain segments is refused by every method', async () => {
    const { store } = subject();
    const bad = [
      '',
      '/',
      'a/',
      '/a',
      'a//b',
      '..',
      'a/../b',
      './a',
      '.hidden',
      'a b',
      'a\0b',
      'ä',
      'a\\b',
      'a?b',
      'a%2e',
    ];
    for (const key of [...bad, 'a'.repeat(201), Array(200).fill('abc').join('/')]) {
      await assert.rejects(store.get(key), TypeError);
      await assert.rejects(store.put(key, data, describeBytes(data)), TypeError);
      await assert.rejects(store.head(key), TypeError);
      await assert.rejects(store.delete(key), TypeError);
      assert.throws(() => store.presignGet(key, 60), TypeError);
    }
    for (const prefix of ['/', '..', 'a/../', 'ä']) await assert.rejects(keysOf(store, prefix), TypeError);
  });
}

function asProcesses(subject: () => Subject): void {
  test('a writer killed in the middle of a put leaves nothing visible, and the next put succeeds', async () => {
    const { store, options } = subject();
    const data = Buffer.alloc(8 * MIB, 1);
    const script = join(import.meta.dirname, '../support/put-until-killed.ts');
    const child = spawn(process.execPath, [script, JSON.stringify(options), 'killed/object', String(data.length)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await store.head('killed/object'), null);
    assert.deepEqual(await keysOf(store, 'killed/'), []);
    assert.equal(await store.put('killed/object', data, describeBytes(data)), 'stored');
  });

  test('a large object passes through in pieces', async () => {
    const script = join(import.meta.dirname, '../support/move-a-large-object.ts');
    // Large against what the collector leaves lying about, which is what a peak of resident memory shows of a stream.
    const command = [script, JSON.stringify(subject().options), String(640 * MIB)];
    const { stdout } = await promisify(execFile)(process.execPath, command);
    const { isSame, grownBytes } = JSON.parse(stdout);
    assert.ok(isSame);
    assert.ok(grownBytes < 160 * MIB, `memory grew by ${Math.round(grownBytes / MIB)} MiB for an object of 640 MiB`);
  });
}

const subjects = {
  'directory store': openDirectory,
  'real MinIO': openMinio,
  "real MinIO, the bucket of clients' files": openFilesBucket,
};

for (const [name, open] of Object.entries(subjects)) {
  describe(`object store: ${name}`, () => {
    let subject: Subject;
    before(async () => {
      subject = await open();
    });
    after(() => subject.stop());
    reading(() => subject);
    writing(() => subject);
    asProcesses(() => subject);
  });
}
