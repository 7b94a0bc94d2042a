/**
 * Owns what a backup says about itself: `backup.json`, which is written last, so that a folder without it is no backup, and read first.
 * Never holds a secret: it names files, their sizes and digests. Invariant: every file of a backup but the objects is in it with its digest, the lists
 * of objects too, so that nothing in the folder can change without `check` and a restore noticing.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { SystemError } from '../../shared/errors.ts';
import { Closed, Nullable, OneOf, Timestamp } from '../../shared/model/closed.ts';
import { writeWhole } from '../../shared/storage/whole-file.ts';

/** Of the folder's layout. */
export const BACKUP_VERSION = 1;
const MANIFEST = 'backup.json';

const Sha256 = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
const Count = Type.Integer({ minimum: 0 });

/** Bytes that were copied. */
export const Copied = Closed({ bytes: Count, sha256: Sha256 });
export type Copied = Static<typeof Copied>;

/** Whose a folder was; it is given to the same again. */
const Owner = Closed({ userId: Count, groupId: Count, mode: Count });
export type Owner = Static<typeof Owner>;

const Tally = Closed({ objects: Count, bytes: Count });
export type Tally = Static<typeof Tally>;

const BackupManifest = Closed({
  kind: Type.Literal('envicutor-backup'),
  version: Type.Literal(BACKUP_VERSION),
  madeAt: Timestamp,
  engine: OneOf(['sqlite', 'postgres']),
  /** Of the database, as migrations count it. */
  form: Count,
  files: Type.Array(
    Closed({ path: Type.String({ pattern: '^[a-z]+/[A-Za-z0-9][A-Za-z0-9.-]*$' }), bytes: Count, sha256: Sha256 }),
  ),
  layers: Tally,
  clientFiles: Tally,
  /** Null: there was no such folder, since that is in a bucket. */
  owners: Closed({
    coordinator: Nullable(Owner),
    verifier: Nullable(Owner),
    layers: Nullable(Owner),
    clientFiles: Nullable(Owner),
  }),
});
export type BackupManifest = Static<typeof BackupManifest>;

/** The last thing that makes a folder a backup. */
export async function writeManifest(folder: string, manifest: BackupManifest): Promise<void> {
  await writeWhole(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** SystemError `configuration-invalid` when the folder holds no finished backup, or one that this release can't read. */
export async function readManifest(folder: string): Promise<BackupManifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (text === null) {
    throw refusal(`${folder} is no finished backup: it has no ${MANIFEST}, which is written last; take another backup`);
  }
  const said = parse(text);
  const version = said !== null && typeof said === 'object' && 'version' in said ? said.version : null;
  if (typeof version === 'number' && version > BACKUP_VERSION) {
    throw refusal(
      `the backup ${folder} has layout ${version}, this release knows ${BACKUP_VERSION}; use the release that made it`,
    );
  }
  if (Value.Check(BackupManifest, said)) return said;
  throw refusal(`${join(folder, MANIFEST)} is damaged; use another backup`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refusal(sentence: string): SystemError {
  return new SystemError('configuration-invalid', sentence);
}
