/**
 * Owns bringing a backup back into places that are empty, and checking one without touching anything else. The order is the reverse of taking it: the
 * database last, so that what a restore that failed leaves never looks like a whole instance.
 * Never overwrites anything and never restores a part. Invariant: nothing is written before the manifest, every file's digest and the places are found right.
 */
import { chmod, chown, lchown, lstat, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemError } from '../../shared/errors.ts';
import { type BackupManifest, type Owner, readManifest } from './backup-manifest.ts';
import { checkFile, writeCopy } from './copied-file.ts';
import { checkObjects, isEmptyStore, restoreObjects } from './object-copies.ts';
import { objectFolder, type Source } from './saving.ts';
import { aheadOfEverySignature } from './verifier-copies.ts';

export type Target = Omit<Source, 'clock'>;

/** Reads all of a backup; SystemError `configuration-invalid` when it is none, `file-corrupt` for the first file that is not what was saved. */
export async function checkBackup(folder: string): Promise<BackupManifest> {
  const manifest = await checkSmallFiles(folder);
  for (const name of ['layers', 'files'] as const) await checkObjects(objectFolder(folder, name));
  return manifest;
}

async function checkSmallFiles(folder: string): Promise<BackupManifest> {
  const manifest = await readManifest(folder);
  for (const { path, ...copied } of manifest.files) await checkFile(join(folder, path), copied);
  return manifest;
}

/** Restores a backup; SystemError `conflict` when a place has something, `configuration-invalid` when this release can't use it. */
export async function restoreBackup(folder: string, target: Target): Promise<BackupManifest> {
  const { database, layers, clientFiles, places } = target;
  const manifest = await checkSmallFiles(folder);
  checkForm(folder, manifest, target);
  await checkEmpty(target);
  const given = await readConfiguration(folder, manifest, target);
  // Before a store makes folders of its own below one of these.
  const owned = [
    [places.verifier, manifest.owners.verifier],
    [places.coordinator, manifest.owners.coordinator],
    [places.layers, manifest.owners.layers],
    [places.clientFiles, manifest.owners.clientFiles],
  ] as const;
  const owners: (readonly [string, Owner])[] = [];
  for (const [path, owner] of owned) if (path !== null) owners.push([path, await makePlace(path, owner)]);
  await restoreObjects(objectFolder(folder, 'layers'), layers);
  await restoreObjects(objectFolder(folder, 'files'), clientFiles);
  const [, [, coordinator] = ['', null]] = owners;
  for (const [path, bytes] of given) {
    await writeCopy(path, bytes);
    if (coordinator !== null && process.getuid?.() === 0) await chown(path, coordinator.userId, coordinator.groupId);
  }
  for (const name of namesIn(manifest, 'verifier/')) {
    const bytes = aheadOfEverySignature(name, await readFile(join(folder, 'verifier', name)));
    await writeCopy(join(places.verifier, name), bytes);
  }
  await database.restore(join(folder, 'database', database.fileName));
  // The innermost last: clients' files are in the coordinator's folder, unless an operator says otherwise.
  for (const [path, owner] of owners) await giveTo(path, owner);
  return manifest;
}

function checkForm(folder: string, { engine, form }: BackupManifest, { database }: Target): void {
  if (engine !== database.engine) {
    const remedy = engine === 'postgres' ? 'set ENVICUTOR_DATABASE_URL' : 'leave ENVICUTOR_DATABASE_URL empty';
    throw invalid(`the backup ${folder} is of ${engine}, and this configuration is for ${database.engine}; ${remedy}`);
  }
  if (form > database.formKnown) {
    throw invalid(
      `the backup ${folder} has a database of form ${form}, this release knows ${database.formKnown}; restore it by a newer release`,
    );
  }
}

async function checkEmpty({ database, layers, clientFiles, places }: Target): Promise<void> {
  const found: string[] = [];
  for (const path of [places.coordinator, places.verifier]) if (await hasSomething(path)) found.push(path);
  if (!(await database.isEmpty())) found.push('the database');
  if (!(await isEmptyStore(layers))) found.push('the store of layers');
  if (!(await isEmptyStore(clientFiles))) found.push("the store of clients' files");
  if (found.length === 0) return;
  throw new SystemError(
    'conflict',
    `there is something already in ${found.join(', ')}; restore into places that are empty`,
  );
}

async function hasSomething(path: string): Promise<boolean> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  // What a file system of its own has.
  return names.some((name) => name !== 'lost+found');
}

const namesIn = ({ files }: BackupManifest, prefix: string) =>
  files.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.slice(prefix.length));

/** Files that are missing where they belong; SystemError `conflict` when one is there and another: the operator says which is right. */
async function readConfiguration(
  folder: string,
  manifest: BackupManifest,
  { places }: Target,
): Promise<ReadonlyMap<string, Buffer>> {
  const wanted = [{ name: 'coordinator/instance.key', path: places.instanceKey }];
  for (const { name, path } of places.configuration) wanted.push({ name: `configuration/${name}`, path });
  const missing = new Map<string, Buffer>();
  for (const { name, path } of wanted.filter((file) => manifest.files.some((kept) => kept.path === file.name))) {
    const kept = await readFile(join(folder, name));
    const present = await readFile(path).catch(() => null);
    if (present === null) missing.set(path, kept);
    else if (!present.equals(kept)) {
      throw new SystemError('conflict', `${path} differs from ${name} of the backup; remove one that is not wanted`);
    }
  }
  return missing;
}

/** The folder, made if need be; whoever has it already keeps it. */
async function makePlace(path: string, saved: Owner | null): Promise<Owner> {
  const present = await stat(path).catch(() => null);
  if (present !== null) return { userId: present.uid, groupId: present.gid, mode: present.mode & 0o7777 };
  await mkdir(path, { recursive: true });
  const owner = saved ?? { userId: process.getuid?.() ?? 0, groupId: process.getgid?.() ?? 0, mode: 0o700 };
  if (process.getuid?.() === 0) await chown(path, owner.userId, owner.groupId);
  await chmod(path, owner.mode);
  return owner;
}

/** Gives everything below a folder to its owner; modes stay. Only root can, and whoever else restores owns it anyway. */
async function giveTo(path: string, { userId, groupId, mode }: Owner): Promise<void> {
  if (process.getuid?.() !== 0) return;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    const below = join(entry.parentPath, entry.name);
    const { mode: before } = await lstat(below);
    await lchown(below, userId, groupId);
    // A change of owner takes set-id bits of some kinds away.
    if (entry.isDirectory()) await chmod(below, before & 0o7777);
  }
  await chmod(path, mode);
}

function invalid(sentence: string): SystemError {
  return new SystemError('configuration-invalid', sentence);
}
