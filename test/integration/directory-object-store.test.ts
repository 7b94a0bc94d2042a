/**
 * Owns what is particular to the directory store: where its files are, what a killed writer leaves, a full disk.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { SystemError } from '../../shared/errors.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';

const MIB = 1024 * 1024;
const data = Buffer.alloc(100_000, 1);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'envicutor-objects-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function startWriter(store: string, key: string) {
  const script = join(import.meta.dirname, '../support/put-until-killed.ts');
  const child = spawn(process.execPath, [script, JSON.stringify({ folder: store }), key, String(MIB)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
}

test('a file left by a killed writer is removed by the next one, that of a living writer is not', async () => {
  const store = join(folder, 'swept');
  const [killFirst, killSecond] = [await startWriter(store, 'a/1'), await startWriter(store, 'a/2')];
  assert.equal((await readdir(join(store, 'incoming'))).length, 2);
  await killFirst();
  await new DirectoryObjectStore(store).put('a/3', data, describeBytes(data));
  assert.equal((await readdir(join(store, 'incoming'))).length, 1);
  await killSecond();
  await new DirectoryObjectStore(store).put('a/4', data, describeBytes(data));
  assert.deepEqual(await readdir(join(store, 'incoming')), []);
  assert.deepEqual((await readdir(join(store, 'objects/a'))).toSorted(), ['3', '4']);
});

test('objects and folders are closed to others, and a put leaves one link and no temporary file', async () => {
  const store = join(folder, 'modes');
  await new DirectoryObjectStore(store).put('a/b/c', data, describeBytes(data));
  const found = await stat(join(store, 'objects/a/b/c'));
  assert.equal(found.nlink, 1);
  assert.equal(found.mode & 0o007, 0);
  assert.equal((await stat(join(store, 'objects/a'))).mode & 0o007, 0);
  assert.deepEqual(await readdir(join(store, 'incoming')), []);
});

test('a full disk fails the put with its reason, leaves nothing and does not spoil the next put', async () => {
  const store = join(folder, 'full');
  await promisify(execFile)('mkdir', [store]);
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', store]);
  try {
    const objects = new DirectoryObjectStore(store);
    const large = Buffer.alloc(2 * MIB);
    await assert.rejects(objects.put('a/large', large, describeBytes(large)), (error) => {
      assert.ok(error instanceof SystemError && error.code === 'object-store-unavailable');
      assert.match(error.message, /storing a\/large failed: ENOSPC/);
      return true;
    });
    assert.deepEqual(await readdir(join(store, 'incoming')), []);
    assert.equal(await objects.put('a/small', data, describeBytes(data)), 'stored');
  } finally {
    await promisify(execFile)('umount', [store]);
  }
});

test('a store whose folder can be neither made nor read says so', async () => {
  const objects = new DirectoryObjectStore('/proc/version/store');
  assert.equal(await objects.get('a/b'), null);
  await assert.rejects(objects.put('a/b', data, describeBytes(data)), /storing a\/b failed: ENOTDIR/);
});
