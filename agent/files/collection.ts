/**
 * Owns what one lease brings out of its workspace: what the launcher copies is held here until the run is over, then sent to the coordinator file by file,
 * before the result is told. Never decides what is copied (the order does) and never loses a file silently: what can't be sent fails the lease, which is
 * ours to try again.
 */
import { isUtf8 } from 'node:buffer';
import { type Clock, passed } from '../../shared/clock.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { CollectedFiles, type CollectedOutput } from '../../shared/sandbox/collected-files.ts';
import type { CollectSpec, LaunchListener } from '../../shared/sandbox/sandbox.ts';
import { type PutAnswer, putBytes } from './byte-upload.ts';

/** What became of what an order asked for. */
export type Collected = Pick<LeaseResultMessage, 'files' | 'uncollected'>;

/** Sends bytes somewhere; rejects when nobody answered. */
export type Put = (url: string, bytes: Uint8Array) => Promise<PutAnswer>;

/** Waits before the second try and those after it; milliseconds. */
const RETRY_MS = [250, 500, 1000, 2000, 4000] as const;

/** Of one order. */
export class Collection {
  readonly #order: NonNullable<LeaseOrderMessage['collect']>;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #put: Put;
  readonly #files = new CollectedFiles();
  #isCancelled = false;

  /** Null when the order asks for nothing. */
  static of(order: LeaseOrderMessage, clock: Pick<Clock, 'after'>, put: Put = putBytes): Collection | null {
    return order.collect === undefined ? null : new Collection(order.collect, clock, put);
  }

  constructor(order: NonNullable<LeaseOrderMessage['collect']>, clock: Pick<Clock, 'after'>, put: Put) {
    this.#order = order;
    this.#clock = clock;
    this.#put = put;
  }

  get spec(): CollectSpec {
    const { patterns, bytesMax, filesMax } = this.#order;
    return { patterns, bytesMax, filesMax };
  }

  readonly listener: Pick<LaunchListener, 'collected' | 'collectedData'> = {
    collected: (file) => this.#files.begin(file),
    collectedData: (chunk) => this.#files.append(chunk),
  };

  /** Nothing more is sent. */
  cancel(): void {
    this.#isCancelled = true;
  }

  /** Sends all that was copied; SystemError `object-store-unavailable` when that does not go. */
  async send(): Promise<Collected> {
    const files: NonNullable<Collected['files']> = [];
    const uncollected: NonNullable<Collected['uncollected']> = [];
    for (const output of this.#files.all()) {
      const { path, bytes } = output;
      const state = stateOf(output);
      const sent = state === null ? await this.#send(path, output.content ?? new Uint8Array(0)) : state;
      if (sent === null) break;
      if (typeof sent === 'string') uncollected.push({ path, state: sent, bytes });
      else files.push({ path, file: sent.file, bytes });
    }
    return { files, uncollected };
  }

  async #send(path: string, content: Uint8Array): Promise<Sent | null> {
    const url = `${this.#order.url}?path=${encodeURIComponent(path)}`;
    const sha256 = digestHex(digestOf(content));
    let reason = '';
    for (const waitMs of [0, ...RETRY_MS]) {
      if (waitMs > 0) await passed(this.#clock, waitMs);
      if (this.#isCancelled) return null;
      try {
        const { status, body } = await this.#put(url, content);
        if (status === 200 && body.sha256 === sha256 && typeof body.file === 'string')
          return { file: body.file as `file_${string}` };
        if (status === 429 && body.code === 'quota-exceeded') return 'no-room';
        reason = status === 200 ? 'other bytes arrived' : `it was answered ${status} ${body.code ?? ''}`;
        // What is refused for what it is will be refused again.
        if (status >= 400 && status < 500 && status !== 429) break;
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
    }
    throw new SystemError('object-store-unavailable', `a file that was left could not be sent: ${reason}`);
  }
}

type Sent = { readonly file: `file_${string}` } | NonNullable<Collected['uncollected']>[number]['state'];

/** Why a file is not sent; null: it is. */
function stateOf({ state, pathBytes }: CollectedOutput): NonNullable<Collected['uncollected']>[number]['state'] | null {
  if (state !== 'copied') return state;
  return isUtf8(pathBytes) ? null : 'not-utf8';
}
