/**
 * Owns pieces of tars for tests: canonical entries by default, any field of which a test may spell wrongly.
 * Never used outside tests; shares no code with the product's writer, so that writer and checker are both held against it.
 */

/** What a test wants in a header; everything has a canonical default. */
export interface Piece {
  readonly name: string;
  readonly type?: string;
  readonly body?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly size?: number;
  /** Bytes written over the header, by offset, before its checksum is made. */
  readonly overwrite?: Readonly<Record<number, string>>;
  /** Records of a pax header before the entry, as they are. */
  readonly pax?: readonly (readonly [string, string])[];
}

/** The two blocks that end a tar. */
export const END = Buffer.alloc(1024);

/** One entry: pax header if asked for, header, padded body. */
export function piece(wanted: Piece): Buffer {
  const body = Buffer.from(wanted.body ?? '');
  const pax = wanted.pax === undefined ? [] : [paxHeader(wanted.pax)];
  return Buffer.concat([...pax, header(wanted, wanted.size ?? body.length), body, padding(body.length)]);
}

/** A whole tar. */
export function tarOf(...pieces: readonly Piece[]): Buffer {
  return Buffer.concat([...pieces.map(piece), END]);
}

function header(wanted: Piece, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, offset: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset, 'latin1');
  block.write(wanted.name.slice(0, 100), 0, 'latin1');
  octal(wanted.mode ?? defaultModes[wanted.type ?? '0'] ?? 0o644, 100, 8);
  octal(wanted.uid ?? 0, 108, 8);
  octal(wanted.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(wanted.mtime ?? 0, 136, 12);
  block.write(wanted.type ?? '0', 156, 'latin1');
  block.write((wanted.link ?? '').slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(0, 329, 8);
  octal(0, 337, 8);
  for (const [offset, text] of Object.entries(wanted.overwrite ?? {})) block.write(text, Number(offset), 'latin1');
  block.write('        ', 148, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

const defaultModes: Readonly<Record<string, number>> = { '2': 0o777, '3': 0, '5': 0o755 };

function paxHeader(records: readonly (readonly [string, string])[]): Buffer {
  const body = Buffer.from(records.map(([name, value]) => paxRecord(name, value)).join(''), 'latin1');
  return piece({ name: 'pax', type: 'x', body });
}

function paxRecord(name: string, value: string): string {
  const rest = ` ${name}=${value}\n`;
  const guess = rest.length + String(rest.length).length;
  return `${rest.length + String(guess).length}${rest}`;
}

function padding(bytes: number): Buffer {
  return Buffer.alloc((512 - (bytes % 512)) % 512);
}
