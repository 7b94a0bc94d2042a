/**
 * Owns a build's live log: bytes of the script's streams become text events, and are kept for its Report; and the masking of secrets.
 * Never lets a secret's value through, neither live nor in the Report, unless it is shorter than SECRET_CHARACTERS_MIN.
 * Invariant: with secrets, text is held back until its line ends, so that a secret in two chunks is found.
 */
import { StringDecoder } from 'node:string_decoder';
import type { BuildEvent } from '../../shared/model/build.ts';

/** Shorter values are not masked: they would be found everywhere. */
export const SECRET_CHARACTERS_MIN = 4;
const MASK = '***';
/** A line that never ends is let go in parts of about so much. */
const LINE_CHARACTERS_MAX = 65_536;

type LogEvent = Extract<BuildEvent, { type: 'log' }>;

/** Replaces secrets in text. */
export type Masking = (text: string) => string;

/** Masks every value, and each line of a value that has several, also as a URL or a quoted name spells them. */
export function createMasking(secrets: Readonly<Record<string, string>>): Masking {
  const values = Object.values(secrets)
    .flatMap((value) => [value, ...value.split('\n')])
    .filter((value) => value.length >= SECRET_CHARACTERS_MIN)
    .flatMap((value) => [value, encodeURIComponent(value.toWellFormed()), JSON.stringify(value).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  return (text) => values.reduce((masked, value) => masked.replaceAll(value, MASK), text);
}

/** One stream of one script. */
export class LogStream {
  readonly #stream: LogEvent['stream'];
  readonly #emit: (event: LogEvent) => void;
  readonly #masking: Masking | null;
  readonly #decoder = new StringDecoder('utf8');
  readonly #chunks: Buffer[] = [];
  #line = '';

  /** `masking` is null when there is nothing to mask. */
  constructor(stream: LogEvent['stream'], emit: (event: LogEvent) => void, masking: Masking | null) {
    this.#stream = stream;
    this.#emit = emit;
    this.#masking = masking;
  }

  append(chunk: Uint8Array): void {
    const copy = Buffer.from(chunk);
    this.#chunks.push(copy);
    const text = this.#decoder.write(copy);
    if (this.#masking === null) this.#say(text);
    else this.#hold(text);
  }

  /** Says what is left. */
  end(): void {
    const rest = this.#line + this.#decoder.end();
    this.#line = '';
    this.#say(this.#masking === null ? rest : this.#masking(rest));
  }

  /** All bytes for the Report; what is masked is masked there too. */
  bytes(): Buffer {
    const all = Buffer.concat(this.#chunks);
    if (this.#masking === null) return all;
    const text = all.toString('utf8');
    const masked = this.#masking(text);
    return masked === text ? all : Buffer.from(masked);
  }

  #hold(text: string): void {
    this.#line += text;
    const end = Math.max(this.#line.lastIndexOf('\n'), this.#line.lastIndexOf('\r')) + 1;
    const length = end > 0 ? end : this.#line.length > LINE_CHARACTERS_MAX ? this.#line.length : 0;
    if (length === 0) return;
    this.#say(this.#masking?.(this.#line.slice(0, length)) ?? '');
    this.#line = this.#line.slice(length);
  }

  #say(text: string): void {
    if (text !== '') this.#emit({ type: 'log', stream: this.#stream, text });
  }
}
