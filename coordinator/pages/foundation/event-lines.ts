/**
 * Owns reading server-sent events out of text that comes in pieces of any length. Pure; never asks for anything.
 * Invariant: an event is told once, when its last line is here.
 */

/** One event. */
export interface ServerEvent {
  readonly name: string;
  readonly data: unknown;
  /** By which whoever comes back says what was heard; null: it has none. */
  readonly id: string | null;
}

/** Takes pieces, gives the events that they complete. */
export class EventLines {
  #rest = '';

  take(piece: string): ServerEvent[] {
    const blocks = (this.#rest + piece).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      const id = /^id: (.*)$/m.exec(block)?.[1] ?? null;
      return name === undefined || data === undefined ? [] : [{ name, data: JSON.parse(data) as unknown, id }];
    });
  }
}
