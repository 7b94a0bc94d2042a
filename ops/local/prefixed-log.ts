/**
 * Owns how the instance's processes appear on one terminal: a line each, its process's name before it, pino's JSON turned into words.
 * Never drops a line and never mixes two; colours only on a terminal.
 */
import type { Readable } from 'node:stream';

const COLOURS = [36, 33, 35, 32, 34, 96, 95, 93] as const;
const NAME_WIDTH = 17;
/** A longer one is broken. */
const LINE_LENGTH_MAX = 1_048_576;
const levels: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** Fields that the line shows elsewhere, or that are the same in all lines. */
const elsewhere = new Set(['level', 'time', 'msg', 'component', 'name', 'pid', 'hostname', 'v']);

/** Lines of several processes on one stream. */
export class PrefixedLog {
  readonly #out: NodeJS.WritableStream;
  readonly #isColourful: boolean;
  readonly #names = new Map<string, number>();
  #isFailed = false;

  constructor(out: NodeJS.WritableStream & { readonly isTTY?: boolean }) {
    this.#out = out;
    this.#isColourful = out.isTTY === true;
    // A reader that went away (a closed pipe) must not end the instance before its orderly stop.
    out.on('error', () => {
      this.#isFailed = true;
    });
  }

  /** Writes one line under a name. */
  line(name: string, text: string): void {
    this.#lines(name, [text]);
  }

  /** Forwards every line of a stream, those that came together in one write; resolves at its end. */
  async follow(name: string, stream: Readable): Promise<void> {
    let rest = '';
    for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_LENGTH_MAX) lines.push(rest.slice(0, LINE_LENGTH_MAX));
      rest = rest.length > LINE_LENGTH_MAX ? rest.slice(LINE_LENGTH_MAX) : rest;
      this.#lines(name, lines.map(toSentence));
    }
    if (rest !== '') this.#lines(name, [toSentence(rest)]);
  }

  #lines(name: string, texts: readonly string[]): void {
    if (this.#isFailed || texts.length === 0) return;
    const prefix = this.#colour(name, name.padEnd(NAME_WIDTH));
    this.#out.write(texts.map((text) => `${prefix} ${text}\n`).join(''));
  }

  #colour(name: string, text: string): string {
    if (!this.#isColourful) return text;
    const number = this.#names.get(name) ?? this.#names.size;
    this.#names.set(name, number);
    return `\u001b[${COLOURS[number % COLOURS.length]}m${text}\u001b[0m`;
  }
}

/** A JSON log line as `hh:mm:ss level message key=value`; any other line as it is. */
export function toSentence(text: string): string {
  const entry = parseEntry(text);
  if (entry === null) return text;
  const time = toClockTime(entry['time']);
  const fields = Object.entries(entry)
    .filter(([key]) => !elsewhere.has(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const level = levels[Number(entry['level'])] ?? String(entry['level'] ?? '');
  return [time, level.padEnd(5), entry['msg'] ?? '', ...fields].join(' ').trimEnd();
}

/** `hh:mm:ss` of an ISO 8601 text or of milliseconds since 1970. */
function toClockTime(time: unknown): string {
  const text = typeof time === 'number' ? new Date(time).toISOString() : String(time ?? '');
  return text.slice(11, 19);
}

function parseEntry(text: string): Record<string, unknown> | null {
  if (!text.startsWith('{')) return null;
  try {
    const entry: unknown = JSON.parse(text);
    return typeof entry === 'object' && entry !== null && 'msg' in entry ? (entry as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
