/**
 * Owns reading server-sent events out of bytes, wherever they are cut: any end of line, comments, data of several lines, a byte order mark.
 * Never holds more than one event: what is larger than the bound is an error, and never an event that was cut.
 * Invariant: the same bytes are the same events, in whatever pieces they come.
 */
import { EnvicutorError } from './envicutor-error.ts';

/** One event as it was sent. */
export interface StreamedEvent {
  /** `message` when it has no name. */
  readonly name: string;
  readonly data: string;
  /** The last id that was sent, with this event or before it; empty: none. */
  readonly id: string;
}

/** Characters of one event: a finished execution with all its output is one. */
export const EVENT_CHARACTERS_MAX = 128 * 1024 * 1024;

/** Takes bytes, gives events. */
export class EventParser {
  readonly #charactersMax: number;
  // Cuts one mark off the beginning, and keeps what is cut within a character.
  readonly #decoder = new TextDecoder('utf-8');
  /** A line that is not over yet. */
  #line: string[] = [];
  #data: string[] = [];
  #characters = 0;
  #name = '';
  #id = '';
  /** Did the last piece end with a carriage return, whose line feed may follow? */
  #isAfterReturn = false;

  constructor(charactersMax: number = EVENT_CHARACTERS_MAX) {
    this.#charactersMax = charactersMax;
  }

  /** The events that end within these bytes; throws `answer-too-large`. */
  take(bytes: Uint8Array): StreamedEvent[] {
    const events: StreamedEvent[] = [];
    const text = this.#decoder.decode(bytes, { stream: true });
    let from = this.#isAfterReturn && text.startsWith('\n') ? 1 : 0;
    if (text !== '') this.#isAfterReturn = text.endsWith('\r');
    const ends = /\r\n|\r|\n/g;
    ends.lastIndex = from;
    for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
      this.#hold(text.slice(from, end.index));
      const event = this.#endLine();
      if (event !== null) events.push(event);
      from = ends.lastIndex;
    }
    if (from < text.length) this.#hold(text.slice(from));
    return events;
  }

  #hold(text: string): void {
    this.#characters += text.length;
    if (this.#characters > this.#charactersMax)
      throw new EnvicutorError('answer-too-large', `an event has more than ${this.#charactersMax} characters`);
    this.#line.push(text);
  }

  #endLine(): StreamedEvent | null {
    const line = this.#line.length === 1 ? (this.#line[0] ?? '') : this.#line.join('');
    this.#line = [];
    if (line === '') return this.#endEvent();
    const colon = line.indexOf(':');
    // A comment is forgotten; so is its weight.
    if (colon === 0) this.#characters -= line.length;
    else if (colon === -1) this.#setField(line, '');
    else this.#setField(line.slice(0, colon), line.slice(line.startsWith(' ', colon + 1) ? colon + 2 : colon + 1));
    return null;
  }

  #setField(field: string, value: string): void {
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#name = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
  }

  #endEvent(): StreamedEvent | null {
    const event = { name: this.#name === '' ? 'message' : this.#name, data: this.#data.join('\n'), id: this.#id };
    const isEmpty = this.#data.length === 0;
    this.#data = [];
    this.#name = '';
    this.#characters = 0;
    return isEmpty ? null : event;
  }
}
