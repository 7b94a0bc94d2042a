/**
 * Owns the port to which files there are: whose, of which bytes, under which object of the files' store, and until when. Never holds a byte of one.
 * Invariants: a row says that its object is there, so an object is put before its row and goes after it; a file whose time is over has a row until it is
 * removed, for executions that hold it; writes are done under the lease of the tenant's shard (SystemError `shard-moved`).
 */
import type { Digest } from '../../shared/digest.ts';
import type { ExecutionId, FileId } from '../../shared/ids.ts';
import type { Page } from './page.ts';
import type { ShardLease } from './shard-store.ts';

/** A file of a tenant. */
export interface FileRow {
  readonly tenantId: string;
  readonly id: FileId;
  readonly sha256: Digest;
  readonly bytes: number;
  readonly objectKey: string;
  /** Which execution it was collected from; null: its client sent it. */
  readonly executionId: ExecutionId | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

/** A file by its name. */
export type FileName = Pick<FileRow, 'tenantId' | 'id'>;

/** Durable files. */
export interface FileStore {
  /** Records a file; one that has a row already keeps it, and its time ends no sooner than is asked for here. Answers the row. */
  save(row: FileRow, lease: ShardLease): Promise<FileRow>;
  /** The row, also of a file whose time is over. */
  get(tenantId: string, id: string): Promise<FileRow | null>;
  /** Those whose time is not over, newest first. */
  list(tenantId: string, cursor: number | null, limit: number, nowMs: number): Promise<Page<FileRow>>;
  /** Lets the time of those that have a row end no sooner; answers their rows. */
  extend(tenantId: string, ids: readonly string[], expiresAtMs: number, lease: ShardLease): Promise<readonly FileRow[]>;
  /** The time of these is over; what was over before stays as it is. */
  expire(tenantId: string, ids: readonly string[], nowMs: number, lease: ShardLease): Promise<void>;
  /** What was collected from an execution, whatever its time. */
  ofExecution(tenantId: string, executionId: string): Promise<readonly FileRow[]>;
  /** Files of tenants of these shards whose time is over, the longest over first. */
  expired(shards: readonly number[], nowMs: number, limit: number): Promise<readonly FileRow[]>;
  /** Removes the row of a file whose time is over; false: it is not, or there is none. */
  remove(file: FileName, nowMs: number, lease: ShardLease): Promise<boolean>;
  /** What a tenant's files weigh, those included that are over and not removed yet; bytes. */
  storedBytes(tenantId: string): Promise<number>;
  /** Which of these objects belong to a row. */
  known(objectKeys: readonly string[]): Promise<ReadonlySet<string>>;
}
