#!/usr/bin/env node
/**
 * Composition root of backups: what the configuration of coordinator and verifier names, copied into a folder while they run, and back into empty
 * places. Never started by anything but an operator, as root or as whoever may read both. What can't work ends with 78 and its sentence.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../shared/clock.ts';
import { loadConfig, refuseToStart } from '../../shared/config.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { CONFIG_PREFIX, CoordinatorConfig } from '../config.ts';
import { CONFIG_PREFIX as VERIFIER_PREFIX, VerifierConfig } from '../environments/verifier/config.ts';
import type { BackupManifest } from './backup-manifest.ts';
import { databasePath, toPlaces } from './places.ts';
import { PostgresCopies } from './postgres-copies.ts';
import { checkBackup, restoreBackup } from './restoring.ts';
import { type Source, saveBackup } from './saving.ts';
import { SqliteCopies } from './sqlite-copies.ts';

const usage = `usage: envicutor-backup save | restore | check FOLDER [--instance DIRECTORY]
  save      copies the state of coordinator and verifier into FOLDER, which must be empty or not there; both may run meanwhile
  restore   brings it back into places that are empty; coordinator and verifier must not run
  check     reads all of a backup and holds it against its digests
  --instance  state directory of a make run, whose places follow from it; without it the environment says where everything is, by the
              variables of coordinator and verifier (docs/backup.md)`;

type Verb = 'save' | 'restore' | 'check';
const isVerb = (word: string | undefined): word is Verb => word === 'save' || word === 'restore' || word === 'check';

function readArguments(): { verb: Verb; folder: string; instance: string | null } {
  try {
    const { values, positionals } = parseArgs({ options: { instance: { type: 'string' } }, allowPositionals: true });
    const [verb, folder, ...more] = positionals;
    if (isVerb(verb) && folder !== undefined && more.length === 0) {
      return { verb, folder: resolve(folder), instance: values.instance ?? null };
    }
  } catch {
    // An unknown word is told by the usage.
  }
  refuseToStart(usage);
}

/** Where everything is; `instance`: below which folder `make run` keeps all of it. */
function loadPlaces(instance: string | null) {
  const config = loadConfig(CoordinatorConfig, CONFIG_PREFIX);
  const verifier = loadConfig(VerifierConfig, VERIFIER_PREFIX);
  if (instance === null) return { config, verifier };
  const at = (name: string) => join(resolve(instance), name);
  return {
    config: { ...config, stateDirectory: at('coordinator') },
    verifier: { ...verifier, stateDirectory: at('verifier'), storeDirectory: at('store') },
  };
}

type Places = ReturnType<typeof loadPlaces>;

async function openLayers({ verifier }: Places): Promise<ObjectStore> {
  if (verifier.storeKind === 'directory') return new DirectoryObjectStore(verifier.storeDirectory);
  const { MinioObjectStore } = await import('../../shared/storage/minio-object-store.ts');
  return new MinioObjectStore({
    endpoint: verifier.minioEndpoint,
    bucket: verifier.minioBucket,
    region: verifier.minioRegion,
    reader: { accessKey: verifier.minioAccessKey, secretKey: verifier.minioSecretKey },
    writer: { accessKey: verifier.minioWriterAccessKey, secretKey: verifier.minioWriterSecretKey },
    purger: { accessKey: verifier.minioPurgerAccessKey, secretKey: verifier.minioPurgerSecretKey },
  });
}

async function openClientFiles({ config }: Places, folder: string | null): Promise<ObjectStore> {
  if (folder !== null) return new DirectoryObjectStore(folder);
  const { MinioObjectStore } = await import('../../shared/storage/minio-object-store.ts');
  return new MinioObjectStore({
    endpoint: config.minioEndpoint,
    bucket: config.minioFilesBucket,
    region: config.minioRegion,
    reader: { accessKey: config.minioFilesReaderAccessKey, secretKey: config.minioFilesReaderSecretKey },
    writer: { accessKey: config.minioFilesWriterAccessKey, secretKey: config.minioFilesWriterSecretKey },
    purger: { accessKey: config.minioFilesPurgerAccessKey, secretKey: config.minioFilesPurgerSecretKey },
  });
}

async function openSource(instance: string | null): Promise<Source> {
  const loaded = loadPlaces(instance);
  const places = toPlaces(loaded.config, loaded.verifier);
  const { databaseUrl, stateDirectory } = loaded.config;
  return {
    clock: systemClock,
    database: databaseUrl === '' ? new SqliteCopies(databasePath(stateDirectory)) : new PostgresCopies(databaseUrl),
    layers: await openLayers(loaded),
    clientFiles: await openClientFiles(loaded, places.clientFiles),
    places,
  };
}

function tell(done: string, { madeAt, engine, form, layers, clientFiles }: BackupManifest): void {
  const objects = `${layers.objects} objects of layers (${layers.bytes} bytes), ${clientFiles.objects} of files (${clientFiles.bytes} bytes)`;
  process.stdout.write(`${done}: of ${madeAt}, ${engine} of form ${form}, ${objects}\n`);
}

// Every file and folder of these is made with the mode that it is to have; those above are anybody's to pass.
process.umask(0o022);
const { verb, folder, instance } = readArguments();
try {
  if (verb === 'check') tell(`whole: ${folder}`, await checkBackup(folder));
  if (verb === 'save') tell(`backed up into ${folder}`, await saveBackup(await openSource(instance), folder));
  if (verb === 'restore') tell(`restored from ${folder}`, await restoreBackup(folder, await openSource(instance)));
  // Connections of a store's client would hold the process.
  process.exit(0);
} catch (error) {
  // Ours have a code, and so have those of the machine: a disk that is full, a folder that is somebody else's. Anything else is a defect.
  if (!(error instanceof Error && 'code' in error)) throw error;
  refuseToStart(`${verb}: ${error.message}`);
}
