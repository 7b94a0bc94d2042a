/**
 * Owns the executions of this site on the disk: accepted ones with their request, ended ones with their answer until there is no room for them.
 * Never runs or tells anything. Invariants: what was accepted durably, and what has ended, survives kill -9; an answer that the coordinator has not
 * recorded goes only for room, and only after the coordinator has refused it; when there is no such room nothing more is taken.
 */
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { Logger } from '../../shared/logger.ts';
import { Closed, Nullable } from '../../shared/model/closed.ts';
import { Execution as Answer, ExecutionRequest } from '../../shared/model/execution.ts';
import { countOnPage } from '../../shared/page-count.ts';
import { RecordFolder } from '../../shared/storage/record-folder.ts';

const Record = Closed({
  version: Type.Literal(1),
  sequence: Type.Integer({ minimum: 1 }),
  tenantId: Type.String(),
  isTold: Type.Boolean(),
  idempotency: Nullable(Closed({ key: Type.String(), bodyDigest: Type.String() })),
  /** Of one that has not ended. */
  request: Nullable(ExecutionRequest),
  answer: Answer,
});
type SiteRecord = Static<typeof Record>;
const recordCheck = TypeCompiler.Compile(Record);

/** What is known of a record without reading it. */
interface Entry {
  readonly id: string;
  readonly sequence: number;
  readonly tenantId: string;
  readonly idempotency: SiteRecord['idempotency'];
  /** Was it on the disk before it ended? */
  readonly isAccepted: boolean;
  isEnded: boolean;
  isTold: boolean;
  /** The coordinator does not want it: it may go for room. */
  isRefused: boolean;
  bytes: number;
}

/** Bounds. */
export interface SiteRecordsBounds {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** An execution that was accepted and has not ended. */
export type Unended = Pick<SiteRecord, 'tenantId' | 'answer'> & { readonly request: ExecutionRequest };
/** An execution that has ended. */
export type Ended = Pick<SiteRecord, 'tenantId' | 'answer'>;

/** Of the records of one page; an answer has its whole output. */
const PAGE_BYTES_MAX = 64 * 1024 * 1024;

const keyOf = (tenantId: string, key: string) => `${tenantId} ${key}`;

/** See the head of this file. */
export class SiteRecords {
  /** What an earlier process accepted and did not end, oldest first. */
  readonly before: readonly Unended[];
  readonly #folder: RecordFolder;
  readonly #bounds: SiteRecordsBounds;
  readonly #logger: Logger;
  /** By age, oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #byKey = new Map<string, { readonly id: string; readonly bodyDigest: string }>();
  #bytes = 0;
  #sequence = 0;

  private constructor(folder: RecordFolder, bounds: SiteRecordsBounds, logger: Logger, found: readonly Found[]) {
    this.#folder = folder;
    this.#bounds = bounds;
    this.#logger = logger;
    const before: Unended[] = [];
    for (const { entry, unended } of found.toSorted((one, other) => one.entry.sequence - other.entry.sequence)) {
      this.#add(entry);
      this.#sequence = entry.sequence;
      if (unended !== null) before.push(unended);
    }
    this.before = before;
  }

  /** Those in the state directory; rejects with the file system's error. */
  static async open(stateDirectory: string, bounds: SiteRecordsBounds, logger: Logger): Promise<SiteRecords> {
    const folder = new RecordFolder(join(stateDirectory, 'executions'));
    const found: Found[] = [];
    for await (const text of folder.read()) {
      const one = toFound(text);
      if (one === null) logger.error({ bytes: text.length }, 'a record of an execution is damaged and passed over');
      else found.push(one);
    }
    return new SiteRecords(folder, bounds, logger, found);
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    this.#bytes += entry.bytes;
    const { tenantId, idempotency, id } = entry;
    if (idempotency !== null)
      this.#byKey.set(keyOf(tenantId, idempotency.key), { id, bodyDigest: idempotency.bodyDigest });
  }

  #drop({ id, bytes, tenantId, idempotency }: Entry): void {
    this.#entries.delete(id);
    this.#bytes -= bytes;
    if (idempotency !== null) this.#byKey.delete(keyOf(tenantId, idempotency.key));
    this.#folder.remove(id).catch((error: unknown) => {
      this.#logger.error({ executionId: id, detail: String(error) }, 'record not removed');
    });
  }

  /** Is there no room, and nothing that may go for it? */
  get isFull(): boolean {
    const { entriesMax, bytesMax } = this.#bounds;
    this.#makeRoom(1);
    return this.#entries.size >= entriesMax || this.#bytes >= bytesMax;
  }

  #makeRoom(entries: number): void {
    const { entriesMax, bytesMax } = this.#bounds;
    for (const entry of this.#entries.values()) {
      if (this.#entries.size + entries <= entriesMax && this.#bytes < bytesMax) return;
      if (entry.isEnded && (entry.isTold || entry.isRefused)) this.#drop(entry);
    }
  }

  /** Whose this idempotency key is. */
  findKey(tenantId: string, key: string): { readonly id: string; readonly bodyDigest: string } | null {
    return this.#byKey.get(keyOf(tenantId, key)) ?? null;
  }

  /** Resolves when the accepted execution survives this process. */
  async accept({ tenantId, request, answer }: Unended, idempotency: SiteRecord['idempotency']): Promise<void> {
    const flags = { isAccepted: true, isEnded: false, isTold: false, isRefused: false, bytes: 0 };
    this.#add({ id: answer.id, sequence: ++this.#sequence, tenantId, idempotency, ...flags });
    await this.#write(answer.id, { request, answer }).catch((error: unknown) => {
      const entry = this.#entries.get(answer.id);
      if (entry !== undefined) this.#drop(entry);
      throw error;
    });
  }

  /** Resolves when the answer survives this process. */
  async end(tenantId: string, answer: Answer): Promise<void> {
    if (!this.#entries.has(answer.id)) {
      const flags = { isAccepted: false, isEnded: false, isTold: false, isRefused: false, bytes: 0 };
      this.#add({ id: answer.id, sequence: ++this.#sequence, tenantId, idempotency: null, ...flags });
    }
    const entry = this.#entries.get(answer.id);
    await this.#write(answer.id, { request: null, answer }).catch((error: unknown) => {
      // Of what was never written down nothing is left, nor may it take a record's room; what was accepted is taken up again.
      if (entry !== undefined && !entry.isAccepted) this.#drop(entry);
      throw error;
    });
    if (entry !== undefined) entry.isEnded = true;
  }

  async #write(id: string, { request, answer }: Pick<SiteRecord, 'request' | 'answer'>): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const { sequence, tenantId, isTold, idempotency } = entry;
    const record: SiteRecord = { version: 1, sequence, tenantId, isTold, idempotency, request, answer };
    const text = JSON.stringify(record);
    this.#bytes += text.length - entry.bytes;
    entry.bytes = text.length;
    await this.#folder.put(id, text);
  }

  /** The recorded answer of a tenant's execution, or null. */
  async get(tenantId: string, id: string): Promise<Answer | null> {
    const entry = this.#entries.get(id);
    return entry?.tenantId === tenantId ? ((await this.#read(id))?.answer ?? null) : null;
  }

  async #read(id: string): Promise<SiteRecord | null> {
    const text = await this.#folder.get(id);
    return text === null ? null : (toRecord(text) ?? null);
  }

  /** A tenant's executions, newest first; `next` continues it. */
  async list(
    tenantId: string,
    cursor: number | null,
    limit: number,
  ): Promise<{ items: Answer[]; next: number | null }> {
    const fitting = [...this.#entries.values()]
      .filter((entry) => entry.tenantId === tenantId && entry.sequence < (cursor ?? Number.POSITIVE_INFINITY))
      .reverse();
    const sizes = fitting.map(({ bytes }) => bytes);
    const shown = fitting.slice(0, countOnPage(sizes, limit, PAGE_BYTES_MAX));
    const items: Answer[] = [];
    for (const { id } of shown) {
      const record = await this.#read(id);
      if (record !== null) items.push(record.answer);
    }
    return { items, next: fitting.length > shown.length ? (shown.at(-1)?.sequence ?? null) : null };
  }

  /** Ids of what has ended and is to be told, oldest first, without those that were refused. */
  untold(countMax: number): string[] {
    const ids: string[] = [];
    for (const { id, isEnded, isTold, isRefused } of this.#entries.values()) {
      if (ids.length === countMax) break;
      if (isEnded && !isTold && !isRefused) ids.push(id);
    }
    return ids;
  }

  /** What has ended, to be told; null when it went meanwhile. */
  async ended(id: string): Promise<Ended | null> {
    return await this.#read(id);
  }

  /** The coordinator has it. */
  async told(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.isTold) return;
    entry.isTold = true;
    const record = await this.#read(id);
    if (record !== null) await this.#write(id, record);
  }

  /** The coordinator does not want it now: it may go for room, and is told again after `retell`. */
  refused(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.isRefused = true;
  }

  /** What was refused is told once more: its tenant may have said otherwise. */
  retell(): void {
    for (const entry of this.#entries.values()) entry.isRefused = false;
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#folder.settled();
  }
}

interface Found {
  readonly entry: Entry;
  readonly unended: Unended | null;
}

function toRecord(text: string): SiteRecord | null {
  try {
    const record: unknown = JSON.parse(text);
    return recordCheck.Check(record) ? record : null;
  } catch {
    return null;
  }
}

function toFound(text: string): Found | null {
  const record = toRecord(text);
  if (record === null) return null;
  const { sequence, tenantId, isTold, idempotency, request, answer } = record;
  const flags = { isEnded: request === null, isTold, isRefused: false, bytes: text.length };
  const unended = request === null ? null : { tenantId, request, answer };
  return { entry: { id: answer.id, sequence, tenantId, idempotency, isAccepted: true, ...flags }, unended };
}
