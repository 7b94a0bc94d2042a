/**
 * Owns the files that requests name: that they are there and the asking tenant's, before anything is accepted; that they stay as long as an execution
 * needs them; and what agents are told of them. Never reads one.
 */
import type { Clock } from '../../shared/clock.ts';
import { type ErrorPlace, SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { CollectedFile } from '../../shared/model/collection.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import { INPUT_FILES_BYTES_MAX } from '../../shared/model/file.ts';
import { type FilePlace, findFilePlaces } from '../../shared/model/file-places.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage, OrderInput } from '../../shared/protocol/coordinator-messages.ts';
import type { FileRow, FileStore } from '../executions/file-store.ts';
import type { ShardLease } from '../executions/shard-store.ts';
import type { Collections } from './collections.ts';
import type { FileHolds } from './file-holds.ts';
import type { FileUrls } from './file-urls.ts';

/** Files of one execution: those that its request names, held, and those that it leaves. */
export interface HeldFiles {
  /** What an agent is told of them, with URLs and a ticket that are fresh; called for each placement. */
  toOrder(): { readonly inputs: readonly OrderInput[]; readonly collect: LeaseOrderMessage['collect'] };
  /** What the answer says of files that were left. */
  toAnswer(result: LeaseResultMessage | null): Pick<Execution, 'files' | 'uncollected'>;
  /** The execution is over, with this answer; null: here. What it used may go, and what it left and the answer does not name. Idempotent. */
  release(answer: Pick<Execution, 'files'> | null): void;
}

/** What it talks to. */
export interface RequestFilesDeps {
  readonly clock: Clock;
  readonly rows: Pick<FileStore, 'get' | 'extend'>;
  readonly holds: FileHolds;
  readonly urls: Pick<FileUrls, 'urlOf'>;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
  readonly collections: Pick<Collections, 'begin' | 'cameOf' | 'end'>;
}

/** What files are held for. */
export interface Holder {
  readonly id: ExecutionId;
  readonly terms: { readonly tenantId: string; readonly request: ExecutionRequest };
}

/** Of an execution that names none. */
export const noFiles: HeldFiles = {
  toOrder: () => ({ inputs: [], collect: undefined }),
  toAnswer: () => ({ files: [] }),
  release: () => undefined,
};

/** See the head of this file. */
export class RequestFiles {
  readonly #deps: RequestFilesDeps;
  readonly #ttlMs: number;

  constructor(deps: RequestFilesDeps, { fileTtlMs }: { readonly fileTtlMs: number }) {
    this.#deps = deps;
    this.#ttlMs = fileTtlMs;
  }

  /**
   * Holds the files of a request. SystemError `file-not-found` names every place of one that is not there, not the tenant's or over; `request-invalid`
   * when they are too large for a workspace.
   */
  async hold(holder: Holder): Promise<HeldFiles> {
    return await this.#hold(holder, this.#deps.clock.nowMs());
  }

  /** The same for a request that was accepted before: its files are still there, though their time may be over. */
  async holdAgain(holder: Holder): Promise<HeldFiles> {
    return await this.#hold(holder, Number.NEGATIVE_INFINITY);
  }

  async #hold(holder: Holder, nowMs: number): Promise<HeldFiles> {
    const { tenantId, request } = holder.terms;
    const places = findFilePlaces(request);
    if (places.length === 0)
      return request.run.collect === undefined ? noFiles : this.#toHeld(holder, [], () => undefined);
    const ids = [...new Set(places.map(({ id }) => id))];
    // Before they are looked at: what is held from here on is not removed.
    const release = this.#deps.holds.take(ids.map((id) => ({ tenantId, id })));
    try {
      const found = await Promise.all(ids.map((id) => this.#deps.rows.get(tenantId, id)));
      const rows = new Map(found.flatMap((row) => (row !== null && row.expiresAtMs > nowMs ? [[row.id, row]] : [])));
      refuseMissing(places, rows);
      refuseLarge(places, rows);
      await this.#extend(tenantId, [...rows.values()]);
      return this.#toHeld(holder, [...rows.values()], release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #toHeld({ id, terms }: Holder, rows: readonly FileRow[], letGo: () => void): HeldFiles {
    const { collections } = this.#deps;
    const { tenantId, request } = terms;
    const { collect } = request.run;
    let over: { readonly kept: readonly CollectedFile[] | null } | null = null;
    return {
      toOrder: () => ({
        inputs: rows.map((row) => this.#toInput(row)),
        collect: collect && collections.begin(tenantId, id, collect),
      }),
      toAnswer: (result) => ({
        // Whoever asks a moment after the end hears what was answered then.
        files: [...(over?.kept ?? collections.cameOf(id, result?.files ?? []))],
        ...(result?.uncollected === undefined ? {} : { uncollected: result.uncollected }),
      }),
      release: (answer) => {
        letGo();
        if (over !== null) return;
        over = { kept: answer?.files ?? null };
        if (collect !== undefined) collections.end(tenantId, id, over.kept);
      },
    };
  }

  /** Use keeps files; a write for each execution would cost more than it is worth. */
  async #extend(tenantId: string, rows: readonly FileRow[]): Promise<void> {
    const { clock, shards } = this.#deps;
    const nowMs = clock.nowMs();
    const old = rows.filter(({ expiresAtMs }) => expiresAtMs > nowMs && expiresAtMs - nowMs < this.#ttlMs / 2);
    if (old.length === 0) return;
    const ids = old.map(({ id }) => id);
    await this.#deps.rows.extend(tenantId, ids, nowMs + this.#ttlMs, shards.leaseFor(tenantId));
  }

  #toInput({ id, sha256, bytes, objectKey }: FileRow): OrderInput {
    return { file: id, sha256, bytes, url: this.#deps.urls.urlOf(objectKey) };
  }
}

function refuse(code: 'file-not-found' | 'request-invalid', errors: readonly ErrorPlace[]): void {
  const first = errors[0];
  if (first === undefined) return;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  throw new SystemError(code, `${first.pointer} ${first.detail}${more}`, { errors });
}

function refuseMissing(places: readonly FilePlace[], rows: ReadonlyMap<string, FileRow>): void {
  const missing = places.filter(({ id }) => !rows.has(id));
  refuse(
    'file-not-found',
    missing.map(({ pointer, id }) => ({ pointer, detail: `names ${id}, which is not there, or its time is over` })),
  );
}

/** A workspace's files travel to the launcher in one piece; inputs do not. */
function refuseLarge(places: readonly FilePlace[], rows: ReadonlyMap<string, FileRow>): void {
  const errors: ErrorPlace[] = [];
  let bytes = 0;
  for (const { pointer, id, purpose } of places) {
    if (purpose !== 'workspace') continue;
    bytes += rows.get(id)?.bytes ?? 0;
    const detail = `makes files of ${bytes} bytes; at most ${INPUT_FILES_BYTES_MAX} fit into a workspace, larger inputs into stdin`;
    if (bytes > INPUT_FILES_BYTES_MAX) errors.push({ pointer, detail });
  }
  refuse('request-invalid', errors.slice(0, 1));
}
