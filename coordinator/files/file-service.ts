/**
 * Owns files of tenants from their upload to their end: the only one that puts into the files' store and takes out of it. Never knows HTTP, and never
 * looks into a file.
 * Invariants: a file's id says nothing to whoever lacks the instance's key, so that nobody learns by it what others have; the same bytes of the same
 * tenant have one id; an object is there before its row and goes after it; what executions hold stays.
 */
import { createHmac } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Clock, Random } from '../../shared/clock.ts';
import type { Digest } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { type ExecutionId, type FileId, idPrefixes, isId, toBase32 } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ByteRange, ObjectContent, ObjectStore } from '../../shared/storage/object-store.ts';
import type { FileRow, FileStore } from '../executions/file-store.ts';
import type { Page } from '../executions/page.ts';
import type { ShardLease } from '../executions/shard-store.ts';
import { FileHolds } from './file-holds.ts';
import { Spool, type SpooledBody } from './spool.ts';

/** What the service talks to. */
export interface FileServiceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly rows: FileStore;
  readonly objects: ObjectStore;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
  /** Derived from the instance's key, for files alone. */
  readonly key: Uint8Array;
  /** Folder of this process for bodies on their way. */
  readonly spoolDirectory: string;
  /** Refuses what is to be kept for a tenant that has too much stored; absent: nobody has. */
  readonly storage?: { check(tenantId: string): Promise<void> } | undefined;
}

/** Bounds of the service. */
export interface FileServiceOptions {
  readonly fileBytesMax: number;
  /** Of all files of a tenant; 0: no bound. */
  readonly tenantFileBytesMax: number;
  readonly fileTtlMs: number;
  /** Of all bodies that are on their way; of one tenant half of that. */
  readonly uploadBytesMax: number;
}

/** A body that comes in. */
export interface IncomingBody {
  readonly body: Readable;
  /** What its sender says that it has; null: nothing. */
  readonly announced: number | null;
}

/** What a spooled body becomes. */
interface Storing {
  readonly id: FileId;
  readonly executionId: ExecutionId | null;
  readonly ttlMs: number;
}

/** What a tenant's room may be asked for again after; files go by hours and days. */
const ROOM_RETRY_SECONDS = 60;

/** See the head of this file. */
export class FileService {
  readonly holds = new FileHolds();
  readonly #deps: FileServiceDeps;
  readonly #options: FileServiceOptions;
  readonly #spool: Spool;

  constructor(deps: FileServiceDeps, options: FileServiceOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#spool = new Spool(deps.spoolDirectory, options);
  }

  /** What the tenant's files weigh; bytes. */
  storedBytes(tenantId: string): Promise<number> {
    return this.#deps.rows.storedBytes(tenantId);
  }

  /**
   * Takes a file in, or lets the time of one that is here begin anew, which takes no room. SystemError `body-too-large`, `request-invalid` (cut off),
   * `rate-exceeded` (too much on its way), `quota-exceeded`, `object-store-unavailable`, `shard-moved`.
   */
  async upload(tenantId: string, { body, announced }: IncomingBody): Promise<FileRow> {
    const { fileBytesMax: bytesMax, fileTtlMs: ttlMs } = this.#options;
    this.#deps.shards.leaseFor(tenantId);
    const spooled = await this.#spool.take(body, { tenantId, bytesMax, announced });
    try {
      const id = this.#idOf([tenantId, spooled.sha256]);
      const expiresAtMs = this.#deps.clock.nowMs() + ttlMs;
      const [known] = await this.#deps.rows.extend(tenantId, [id], expiresAtMs, this.#deps.shards.leaseFor(tenantId));
      return known ?? (await this.#store(tenantId, spooled, { id, executionId: null, ttlMs }));
    } finally {
      await spooled.close();
    }
  }

  /** Takes in what an execution left at a path; the same again has the same id. SystemErrors as with `upload`. */
  async collect(
    { tenantId, executionId, path }: { tenantId: string; executionId: ExecutionId; path: string },
    incoming: IncomingBody,
    { bytesMax, ttlMs }: { bytesMax: number; ttlMs: number },
  ): Promise<FileRow> {
    const spooled = await this.#spool.take(incoming.body, { tenantId, bytesMax, announced: incoming.announced });
    try {
      const id = this.#idOf([tenantId, executionId, path, spooled.sha256]);
      return await this.#store(tenantId, spooled, { id, executionId, ttlMs });
    } finally {
      await spooled.close();
    }
  }

  async #store(tenantId: string, spooled: SpooledBody, { id, executionId, ttlMs }: Storing): Promise<FileRow> {
    const { clock, rows, objects, shards, log } = this.#deps;
    const { bytes, sha256 } = spooled;
    await this.#checkRoom(tenantId, bytes);
    const objectKey = this.#createKey(tenantId);
    await objects.put(objectKey, spooled.read(), { bytes, sha256 });
    const createdAtMs = Math.floor(clock.nowMs());
    const times = { createdAtMs, expiresAtMs: createdAtMs + ttlMs };
    const row = { tenantId, id, sha256, bytes, objectKey, executionId, ...times };
    // What is put and not recorded is an orphan, which the sweeper takes away.
    const saved = await rows.save(row, shards.leaseFor(tenantId));
    if (saved.objectKey === objectKey) log.info({ tenantId, fileId: id, bytes, executionId }, 'file stored');
    else await this.#deleteObject(objectKey);
    return saved;
  }

  async #checkRoom(tenantId: string, bytes: number): Promise<void> {
    await this.#deps.storage?.check(tenantId);
    const { tenantFileBytesMax } = this.#options;
    if (tenantFileBytesMax === 0) return;
    const stored = await this.storedBytes(tenantId);
    if (stored + bytes <= tenantFileBytesMax) return;
    const detail = `the tenant's files have ${stored} bytes, ${bytes} more are above its ${tenantFileBytesMax}: delete some, or wait until they expire`;
    throw new SystemError('quota-exceeded', detail, { retryAfterSeconds: ROOM_RETRY_SECONDS });
  }

  /** A file whose time is not over; SystemError `file-not-found`, for another tenant's, too. */
  async find(tenantId: string, id: string): Promise<FileRow> {
    const row = isId('file', id) ? await this.#deps.rows.get(tenantId, id) : null;
    if (row !== null && row.expiresAtMs > this.#deps.clock.nowMs()) return row;
    throw new SystemError('file-not-found', `there is no file ${id.slice(0, 80)}, or its time is over`);
  }

  /** Its bytes, or a part of them; SystemError `object-store-unavailable` when they can't be had. */
  async open({ id, objectKey }: FileRow, range?: ByteRange): Promise<ObjectContent> {
    const content = await this.#deps.objects.get(objectKey, range);
    if (content !== null) return content;
    throw new SystemError('object-store-unavailable', `the store has no object of ${id}`);
  }

  list(tenantId: string, cursor: number | null, limit: number): Promise<Page<FileRow>> {
    return this.#deps.rows.list(tenantId, cursor, limit, this.#deps.clock.nowMs());
  }

  /** Ends a file's time: nobody finds it from now on; its bytes go at once, or with the end of the last execution that holds it. */
  async delete(tenantId: string, id: string): Promise<void> {
    await this.remove(tenantId, [await this.find(tenantId, id)]);
  }

  /** Ends the time of these of a tenant's files, by one write; and see `discard`. */
  async remove(tenantId: string, files: readonly FileRow[]): Promise<void> {
    if (files.length === 0) return;
    const { rows, clock, shards } = this.#deps;
    const ids = files.map(({ id }) => id);
    await rows.expire(tenantId, ids, clock.nowMs(), shards.leaseFor(tenantId));
    for (const file of files) await this.discard(file);
  }

  /** Removes a file whose time is over, unless it is held or has been sent again; false then. */
  async discard(row: FileRow): Promise<boolean> {
    const { rows, clock, shards, log } = this.#deps;
    if (this.holds.has(row)) return false;
    const { tenantId, id, objectKey } = row;
    if (!(await rows.remove(row, clock.nowMs(), shards.leaseFor(tenantId)))) return false;
    await this.#deleteObject(objectKey);
    log.info({ tenantId, fileId: id }, 'file removed');
    return true;
  }

  async #deleteObject(objectKey: string): Promise<void> {
    await this.#deps.objects.delete(objectKey).catch((error: unknown) => {
      // It belongs to nothing any more: the sweeper finds it.
      this.#deps.log.warn({ err: error, objectKey }, 'object of a file not deleted');
    });
  }

  #idOf(parts: readonly [tenantId: string, ...more: (string | Digest)[]]): FileId {
    const mac = createHmac('sha256', this.#deps.key).update(JSON.stringify(parts)).digest();
    return `${idPrefixes.file}_${toBase32(mac.subarray(0, 20))}`;
  }

  /** Never one that was used before: whoever deletes the object of an old row can't meet that of a new one. */
  #createKey(tenantId: string): string {
    const tenant = createHmac('sha256', this.#deps.key).update(`tenant/${tenantId}`).digest();
    return `${toBase32(tenant.subarray(0, 10))}/${toBase32(this.#deps.random.bytes(20))}`;
  }
}
