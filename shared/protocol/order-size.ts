/**
 * Owns whether the order of an execution is one message: each test is told with all that it is run with, so that a request of half a megabyte with an
 * input for a thousand tests would be one of half a gigabyte.
 * Pure; never changes a request. Invariant: what passes here has an order that is no larger than the protocol's largest message.
 */
import type { ExecutionRequest } from '../model/execution.ts';
import { CONTENT_BYTES_MAX, MESSAGE_BYTES_MAX } from './version.ts';

/** What tests may take from `run` together without another look: a body and this are less than a message. */
const REPEATED_BYTES_FREE = (MESSAGE_BYTES_MAX - CONTENT_BYTES_MAX) / 2;

/** Why the order of a request is too large, as words after `/tests`; null: it is not. */
export function findOrderExcess(request: ExecutionRequest): string | null {
  const repeated = repeatedBytesOf(request);
  if (repeated <= REPEATED_BYTES_FREE) return null;
  const bytes = repeated + jsonBytesOf(request);
  if (bytes <= CONTENT_BYTES_MAX) return null;
  return `take input or arguments from /run, which with each of them makes ${bytes} bytes for an agent; it is told at most ${CONTENT_BYTES_MAX}: put what is large into /files, or send fewer tests`;
}

/** What an order has more than its request: JSON bytes of the inputs and arguments that tests take from `run`. */
function repeatedBytesOf({ tests = [], run }: Pick<ExecutionRequest, 'tests' | 'run'>): number {
  const withoutInput = tests.filter(({ stdin }) => stdin === undefined).length;
  const withoutArguments = tests.filter((test) => test.arguments === undefined).length;
  const inputBytes = withoutInput === 0 ? 0 : jsonBytesOf(run.stdin ?? '');
  const argumentBytes = withoutArguments === 0 ? 0 : jsonBytesOf(run.arguments ?? []);
  return withoutInput * inputBytes + withoutArguments * argumentBytes;
}

function jsonBytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
