/**
 * Owns a process whose memory is measured: it puts a generated object and gets it again, digesting what arrives.
 * Arguments: the options of a store as JSON (`{folder}` or a MinioObjectStoreOptions) and a size in bytes.
 * Prints JSON: whether the digests agree, and by how many bytes the peak of resident memory grew.
 */
import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DigestingStream } from '../../shared/digest.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';

const chunk = Buffer.alloc(64 * 1024, 7);
const options = JSON.parse(process.argv[2] ?? '');
const bytes = Number(process.argv[3]);
const store = 'folder' in options ? new DirectoryObjectStore(options.folder) : new MinioObjectStore(options);

function* chunks() {
  for (let given = 0; given < bytes; given += chunk.length) yield chunk;
}

const hash = createHash('sha256');
for (const part of chunks()) hash.update(part);
const sha256 = `sha256:${hash.digest('hex')}` as const;
const before = process.resourceUsage().maxRSS;
await store.put('large/object', Readable.from(chunks(), { objectMode: false }), { bytes, sha256 });
const content = await store.get('large/object');
const digesting = new DigestingStream();
const drain = new Writable({ write: (_chunk, _encoding, done) => done() });
if (content !== null) await pipeline(content.body, digesting, drain);
const grownBytes = (process.resourceUsage().maxRSS - before) * 1024;
process.stdout.write(JSON.stringify({ isSame: digesting.digest() === sha256, grownBytes }));
