/**
 * Owns results of leases on the disk, for the process that comes after this one. Never decides which are kept (outbox).
 * Invariant: a record that can't be read as a result is passed over; it could be told to nobody.
 */
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { Logger } from '../../shared/logger.ts';
import { Closed } from '../../shared/model/closed.ts';
import { decodeAgentMessage } from '../../shared/protocol/agent-messages.ts';
import { RecordFolder } from '../../shared/storage/record-folder.ts';
import type { OutboxEntry } from './outbox.ts';

const recordCheck = TypeCompiler.Compile(
  Closed({ version: Type.Literal(1), lease: Type.String(), fence: Type.Integer(), text: Type.String() }),
);

/** Results of one agent on its disk. */
export class KeptResults {
  /** What an earlier process could not tell, oldest first. */
  readonly before: readonly OutboxEntry[];
  readonly #folder: RecordFolder;
  readonly #logger: Logger;

  private constructor(folder: RecordFolder, logger: Logger, before: readonly OutboxEntry[]) {
    this.#folder = folder;
    this.#logger = logger;
    this.before = before;
  }

  /** Those in the state directory; rejects with the file system's error. */
  static async open(stateDirectory: string, logger: Logger): Promise<KeptResults> {
    const folder = new RecordFolder(join(stateDirectory, 'results'));
    const entries: OutboxEntry[] = [];
    for await (const text of folder.read()) entries.push(...toEntries(text));
    if (entries.length > 0) logger.info({ results: entries.length }, 'results of an earlier process are kept');
    return new KeptResults(
      folder,
      logger,
      entries.sort((one, other) => one.fence - other.fence),
    );
  }

  /** Resolves when it is on the disk, or, with false, when that could not be done now: a disk can be full. */
  async keep({ lease, fence, text, executionId }: OutboxEntry): Promise<boolean> {
    try {
      await this.#folder.put(lease, JSON.stringify({ version: 1, lease, fence, text }));
      return true;
    } catch (error) {
      this.#logger.error({ lease, executionId, detail: String(error) }, 'result not kept on the disk');
      return false;
    }
  }

  forget(lease: string): void {
    this.#folder.remove(lease).catch((error: unknown) => {
      this.#logger.error({ lease, detail: String(error) }, 'result not removed from the disk');
    });
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#folder.settled();
  }
}

function toEntries(text: string): OutboxEntry[] {
  try {
    const record: unknown = JSON.parse(text);
    if (!recordCheck.Check(record)) return [];
    const message = decodeAgentMessage(record.text);
    const isOurs = message.type === 'lease.completed' && message.lease === record.lease;
    return isOurs ? [{ lease: record.lease, fence: record.fence, text: record.text }] : [];
  } catch {
    return [];
  }
}
