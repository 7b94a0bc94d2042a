/**
 * Owns a process that is made to be killed: it starts a put, hands over all bytes but the last few, and says so.
 * Arguments: the options of a store as JSON (`{folder}` or a MinioObjectStoreOptions), a key, and how many bytes to announce.
 */
import { Readable } from 'node:stream';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';

const CHUNK_BYTES = 64 * 1024;
const options = JSON.parse(process.argv[2] ?? '');
const key = process.argv[3] ?? '';
const bytes = Number(process.argv[4]);
const store = 'folder' in options ? new DirectoryObjectStore(options.folder) : new MinioObjectStore(options);

async function* almostAll() {
  for (let given = 0; given + CHUNK_BYTES < bytes; given += CHUNK_BYTES) yield Buffer.alloc(CHUNK_BYTES, 1);
  process.stdout.write('waiting\n');
  await new Promise(() => setInterval(() => undefined, 60_000));
}

await store.put(key, Readable.from(almostAll(), { objectMode: false }), describeBytes(Buffer.alloc(bytes, 1)));
