/**
 * Owns what a coordinator of this process logs, for tests that look at it or wait for it. Never writes it anywhere.
 */
import { EventEmitter, once } from 'node:events';
import type { Logger } from '../../shared/logger.ts';
import type { LogLine } from './logged-process.ts';

/** See the head of this file. */
export class KeptLog {
  /** From `info` up. */
  readonly lines: LogLine[] = [];
  readonly #all: LogLine[] = [];
  readonly #heard = new EventEmitter();
  /** Only what a coordinator calls. */
  readonly logger: Logger;

  constructor() {
    const debug = (fields: object, msg: string) => {
      this.#all.push({ ...fields, msg });
      this.#heard.emit('line');
    };
    const note = (fields: object, msg: string) => {
      this.lines.push({ ...fields, msg });
      debug(fields, msg);
    };
    this.logger = { debug, info: note, warn: note, error: note } as never as Logger;
  }

  /** Resolves when a line that fits has been logged. */
  async until(msg: string, fits: (line: LogLine) => boolean = () => true): Promise<void> {
    while (!this.#all.some((line) => line.msg === msg && fits(line))) await once(this.#heard, 'line');
  }
}
