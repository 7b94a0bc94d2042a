/**
 * Owns the order of a script's two streams: Piston answers both as one text besides, as they came. Pure.
 * Invariant: no byte is told that the report does not have; where the order is not known for all of them, errors follow output.
 */
import type { EventLog } from '../../../shared/http/event-log.ts';

/** Some bytes that a script wrote at a time. */
export interface OutputPiece {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

/** What an execution's log remembers of both scripts; of several attempts the last. */
export function readPieces(log: Pick<EventLog, 'follow'>): Record<'compile' | 'run', readonly OutputPiece[]> {
  const pieces = { compile: [] as OutputPiece[], run: [] as OutputPiece[] };
  const unfollow = log.follow(0, ({ name, data }) => {
    if (name === 'stage' && (data as { cause: unknown }).cause === 'requeued')
      Object.assign(pieces, { compile: [], run: [] });
    if (name !== 'stdout' && name !== 'stderr') return;
    const { script, data: text } = data as { script: 'compile' | 'run'; data: string };
    pieces[script].push({ stream: name, bytes: Buffer.from(text, 'base64') });
  });
  unfollow();
  return pieces;
}

/** Both streams as one text. */
export function interleave(stdout: Buffer, stderr: Buffer, pieces: readonly OutputPiece[]): string {
  if (stderr.length === 0) return stdout.toString();
  if (stdout.length === 0) return stderr.toString();
  const isAll = isWhole(stdout, 'stdout', pieces) && isWhole(stderr, 'stderr', pieces);
  return Buffer.concat(isAll ? pieces.map(({ bytes }) => bytes) : [stdout, stderr]).toString();
}

function isWhole(bytes: Buffer, stream: OutputPiece['stream'], pieces: readonly OutputPiece[]): boolean {
  return Buffer.concat(pieces.filter((piece) => piece.stream === stream).map((piece) => piece.bytes)).equals(bytes);
}
