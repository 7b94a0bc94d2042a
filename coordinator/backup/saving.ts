/**
 * Owns the order in which a backup is taken: the database first, then what it names, the verifier last, so that whatever an earlier part refers to is in
 * a later one. Coordinators and the verifier go on meanwhile and are asked nothing.
 * Never writes into a folder that has something. Invariant: the manifest is written last, when everything else is on the disk.
 */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { BACKUP_VERSION, type BackupManifest, type Owner, writeManifest } from './backup-manifest.ts';
import { describeFile, syncFolder, writeCopy } from './copied-file.ts';
import type { DatabaseCopies } from './database-copies.ts';
import { saveObjects } from './object-copies.ts';
import type { Places } from './places.ts';
import { readVerifier } from './verifier-copies.ts';

/** What a backup is of. */
export interface Source {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly database: DatabaseCopies;
  readonly layers: ObjectStore;
  readonly clientFiles: ObjectStore;
  readonly places: Places;
}

/** Where lists and copies of objects are in a backup. */
export const objectFolder = (folder: string, name: 'layers' | 'files') => ({
  folder: join(folder, name),
  list: join(folder, 'objects', `${name}.jsonl`),
});

/** Takes a backup into a folder that is empty or not there; SystemError `conflict` when it is neither, else what could not be read. */
export async function saveBackup(source: Source, folder: string): Promise<BackupManifest> {
  const { clock, database, layers, clientFiles, places } = source;
  await makeEmpty(folder);
  const files: BackupManifest['files'] = [];
  const keep = async (path: string, bytes: Uint8Array) => {
    files.push({ path, ...(await writeCopy(join(folder, path), bytes)) });
  };
  for (const name of ['database', 'objects']) await mkdir(join(folder, name), { mode: 0o700 });
  const copy = `database/${database.fileName}`;
  await database.save(join(folder, copy));
  const form = await database.formOf(join(folder, copy));
  const tallies = {
    layers: await saveObjects(layers, objectFolder(folder, 'layers')),
    clientFiles: await saveObjects(clientFiles, objectFolder(folder, 'files')),
  };
  await keep('coordinator/instance.key', await readGiven(places.instanceKey));
  for (const { name, path } of places.configuration) await keep(`configuration/${name}`, await readGiven(path));
  for (const [name, bytes] of await readVerifier(places.verifier)) await keep(`verifier/${name}`, bytes);
  for (const path of [copy, 'objects/layers.jsonl', 'objects/files.jsonl']) {
    files.push({ path, ...(await describeFile(join(folder, path))) });
  }
  const manifest: BackupManifest = {
    kind: 'envicutor-backup',
    version: BACKUP_VERSION,
    madeAt: toTimestamp(clock.nowMs()),
    engine: database.engine,
    form,
    files,
    ...tallies,
    owners: {
      coordinator: await ownerOf(places.coordinator),
      verifier: await ownerOf(places.verifier),
      layers: await ownerOf(places.layers),
      clientFiles: await ownerOf(places.clientFiles),
    },
  };
  await syncTree(folder);
  await writeManifest(folder, manifest);
  return manifest;
}

async function makeEmpty(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [found] = await readdir(folder);
  if (found !== undefined) {
    throw new SystemError('conflict', `${folder} has ${found}; give a backup a folder of its own`);
  }
}

async function readGiven(path: string): Promise<Buffer> {
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new SystemError(
      'requirement-missing',
      `${path} can't be read (${error.code}), and a backup without it is none; run this as root, with the settings of coordinator and verifier`,
    );
  });
}

async function ownerOf(path: string | null): Promise<Owner | null> {
  const found = path === null ? null : await stat(path).catch(() => null);
  return found === null ? null : { userId: found.uid, groupId: found.gid, mode: found.mode & 0o7777 };
}

/** Flushes every folder's names: those of files are on the disk by themselves. */
async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(folder, entry.name));
  }
  await syncFolder(folder);
}
