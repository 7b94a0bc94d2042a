/**
 * Owns copying all objects of a store into a folder of a backup, and back into an empty store. The folder's list, a line for each object, says what
 * they are; its own digest is in the backup's manifest. Never holds an object in memory, and never takes one whose digest differs.
 * Invariant: objects are write-once, so whatever is removed meanwhile is whole or absent in the copy.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Digest, isDigest } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { Closed } from '../../shared/model/closed.ts';
import { checkKey, type ObjectStore } from '../../shared/storage/object-store.ts';
import { Copied, type Tally } from './backup-manifest.ts';
import { checkFile, writeCopy } from './copied-file.ts';

const ListedObject = Closed({ key: Type.String(), ...Copied.properties });
type ListedObject = Static<typeof ListedObject>;
const listedObject = TypeCompiler.Compile(ListedObject);

/** Where copies are, and their list. */
export interface ObjectFolder {
  readonly folder: string;
  readonly list: string;
}

/** Copies everything that the store has now. */
export async function saveObjects(store: Pick<ObjectStore, 'list' | 'get'>, to: ObjectFolder): Promise<Tally> {
  const tally = { objects: 0, bytes: 0 };
  const list = await open(to.list, 'wx', 0o600);
  try {
    for await (const { key } of store.list('')) {
      const content = await store.get(key);
      // Removed since it was listed.
      if (content === null) continue;
      const copied = await writeCopy(join(to.folder, checkKey(key)), content.body);
      await list.write(`${JSON.stringify({ key, ...copied })}\n`);
      tally.objects += 1;
      tally.bytes += copied.bytes;
    }
    await list.sync();
  } finally {
    await list.close();
  }
  return tally;
}

/** The lines of a list; SystemError `file-corrupt` when one is none. */
async function* readList(path: string): AsyncGenerator<ListedObject & { readonly sha256: Digest }> {
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const said: unknown = JSON.parse(line);
    if (!listedObject.Check(said) || !isDigest(said.sha256)) {
      throw new SystemError('file-corrupt', `${path} has a line that is no object of a backup; use another backup`);
    }
    yield { ...said, key: checkKey(said.key), sha256: said.sha256 };
  }
}

/** Puts every copy into the store; SystemError `conflict` when something of it is there, `layer-corrupt` when a copy is not what was saved. */
export async function restoreObjects(from: ObjectFolder, store: Pick<ObjectStore, 'put'>): Promise<void> {
  for await (const { key, bytes, sha256 } of readList(from.list)) {
    const outcome = await store.put(key, createReadStream(join(from.folder, key)), { bytes, sha256 });
    if (outcome === 'exists') {
      throw new SystemError('conflict', `the store has ${key} already; restore into an empty one`);
    }
  }
}

/** Reads every copy; SystemError `file-corrupt` for the first that is not what was saved. */
export async function checkObjects(from: ObjectFolder): Promise<void> {
  for await (const { key, ...copied } of readList(from.list)) await checkFile(join(from.folder, key), copied);
}

/** Does the store have anything? */
export async function isEmptyStore(store: Pick<ObjectStore, 'list'>): Promise<boolean> {
  for await (const _ of store.list('')) return false;
  return true;
}
