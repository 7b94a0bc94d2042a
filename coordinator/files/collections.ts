/**
 * Owns what executions leave: tickets by which agents send it, what has come of each execution, and that nothing stays which no result names.
 * Never reads a file. Invariants: a ticket lets its bearer send files of one placement of one execution of one tenant, within that execution's bounds, as long
 * as no later placement and no result is there; what a result names has come whole.
 */

import type { Clock, Random } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { type ExecutionId, toBase32 } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import type { CollectedFile } from '../../shared/model/collection.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { FileRow, FileStore } from '../executions/file-store.ts';
import { isSealOf, sealOf } from '../text-seal.ts';
import type { FileService, IncomingBody } from './file-service.ts';

/** Path below which agents send what executions left. */
export const COLLECTED_PATH = '/internal/collected';

/** What a ticket stands for. */
export interface Ticket {
  readonly tenantId: string;
  readonly executionId: ExecutionId;
  readonly nonce: string;
}

/** What it talks to. */
export interface CollectionsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly files: Pick<FileService, 'collect' | 'remove'>;
  readonly rows: Pick<FileStore, 'ofExecution'>;
  readonly key: Uint8Array;
  /** Where agents reach us. */
  readonly origin: () => string;
}

/** Bounds of what one execution leaves. */
export interface CollectionsOptions {
  readonly collectBytesMax: number;
  readonly collectFilesMax: number;
  readonly collectedFileTtlMs: number;
}

/** What has come of one execution, from its present placement. */
interface Coming {
  readonly nonce: string;
  readonly came: Map<string, FileRow>;
  /** Of what has come and what is on its way. */
  bytes: number;
  onTheirWay: number;
}

/** A run has ended long before; an agent that was cut off sends no more. */
const TICKET_SECONDS = 86_400;

const forbidden = () => new SystemError('forbidden', 'this ticket is not good: its execution is over, or placed anew');

/** See the head of this file. */
export class Collections {
  readonly #deps: CollectionsDeps;
  readonly #options: CollectionsOptions;
  readonly #coming = new Map<ExecutionId, Coming>();

  constructor(deps: CollectionsDeps, options: CollectionsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** What an agent is told; tickets of placements before are not good any more. */
  begin(tenantId: string, executionId: ExecutionId, patterns: readonly string[]): LeaseOrderMessage['collect'] {
    const { random, clock, origin } = this.#deps;
    const nonce = toBase32(random.bytes(16));
    this.#coming.set(executionId, { nonce, came: new Map(), bytes: 0, onTheirWay: 0 });
    const expiry = Math.ceil(clock.nowMs() / 1000) + TICKET_SECONDS;
    const text = [expiry, nonce, executionId, tenantId].join('.');
    const token = `${Buffer.from(text).toString('base64url')}.${sealOf(this.#deps.key, `collect ${text}`)}`;
    const { collectBytesMax: bytesMax, collectFilesMax: filesMax } = this.#options;
    return { patterns: [...patterns], bytesMax, filesMax, url: `${origin()}${COLLECTED_PATH}/${token}` };
  }

  /** What a token of ours stands for; SystemError `forbidden` when it is not ours or too old. */
  ticketOf(token: string): Ticket {
    const [encoded = '', signature = ''] = token.split('.');
    const text = Buffer.from(encoded, 'base64url').toString();
    if (!isSealOf(signature, this.#deps.key, `collect ${text}`)) throw forbidden();
    // A tenant's id may have any form, so it comes last.
    const [, expiry, nonce = '', executionId = '', tenantId = ''] = /^(\d+)\.(\w+)\.(\w+)\.(.+)$/s.exec(text) ?? [];
    if (Number(expiry) * 1000 <= this.#deps.clock.nowMs()) throw forbidden();
    return { tenantId, executionId: executionId as ExecutionId, nonce };
  }

  /** Takes a file in. SystemError `forbidden`, `body-too-large` beyond the execution's bounds, and as `FileService.collect`. */
  async receive({ tenantId, executionId, nonce }: Ticket, path: string, incoming: IncomingBody): Promise<FileRow> {
    const { collectBytesMax, collectFilesMax, collectedFileTtlMs: ttlMs } = this.#options;
    const coming = this.#coming.get(executionId);
    if (coming?.nonce !== nonce) throw forbidden();
    const { announced } = incoming;
    if (announced === null) throw new SystemError('request-invalid', 'say the length of the file in content-length');
    const before = coming.came.get(path)?.bytes ?? 0;
    const isBeyond = coming.bytes - before + announced > collectBytesMax;
    if (isBeyond || (!coming.came.has(path) && coming.came.size + coming.onTheirWay >= collectFilesMax)) {
      const bounds = `${collectFilesMax} files of together ${collectBytesMax} bytes`;
      throw new SystemError('body-too-large', `an execution leaves at most ${bounds}`);
    }
    coming.bytes += announced;
    coming.onTheirWay += 1;
    try {
      const row = await this.#deps.files.collect({ tenantId, executionId, path }, incoming, {
        bytesMax: announced,
        ttlMs,
      });
      // Its execution may have ended, or have been placed anew, while it came.
      if (this.#coming.get(executionId) !== coming) {
        await this.#deps.files.remove(tenantId, [row]);
        throw forbidden();
      }
      coming.bytes -= coming.came.get(path)?.bytes ?? 0;
      coming.came.set(path, row);
      return row;
    } catch (error) {
      coming.bytes -= announced;
      throw error;
    } finally {
      coming.onTheirWay -= 1;
    }
  }

  /** Those of a result that have come. */
  cameOf(executionId: ExecutionId, told: readonly CollectedFile[]): CollectedFile[] {
    const came = this.#coming.get(executionId)?.came;
    return told.filter(({ path, file, bytes }) => {
      const row = came?.get(path);
      return row?.id === file && row.bytes === bytes;
    });
  }

  /** The execution is over here: nothing more is taken, and what its answer does not name goes. Null: it is somebody else's now. */
  end(tenantId: string, executionId: ExecutionId, kept: readonly CollectedFile[] | null): void {
    this.#coming.delete(executionId);
    if (kept === null) return;
    const names = new Set(kept.map(({ file }) => file));
    const clean = async () => {
      const rows = await this.#deps.rows.ofExecution(tenantId, executionId);
      await this.#deps.files.remove(
        tenantId,
        rows.filter(({ id }) => !names.has(id)),
      );
    };
    clean().catch((error: unknown) => {
      // Their time ends them.
      this.#deps.log.warn({ err: error, executionId }, 'files that no result names not removed');
    });
  }
}
