/**
 * Owns whether the order of an execution is one message: each test is told with all that it is run with, and each script with its variables, so that a
 * request of half a megabyte with an input for a thousand tests would be one of half a gigabyte.
 * Pure; never changes a request. Invariant: what passes here has an order that is no larger than the protocol's largest message.
 */
import type { ErrorPlace } from '../errors.ts';
import type { ExecutionRequest } from '../model/execution.ts';
import { CONTENT_BYTES_MAX, MESSAGE_BYTES_MAX } from './version.ts';

type Variables = Readonly<Record<string, string>>;

/** Variables of the environments that scripts, and those of a check program, run in. */
export interface OrderVariables {
  readonly own: Variables;
  readonly check: Variables;
}

/** What is told more than once, together, without another look: a body and this are less than a message. */
const REPEATED_BYTES_FREE = (MESSAGE_BYTES_MAX - CONTENT_BYTES_MAX) / 2;

/** Why the order of a request is too large; null: it is not. `variables`: where environments are named and not described; else the request says them. */
export function findOrderExcess(request: ExecutionRequest, variables = variablesOf(request)): ErrorPlace | null {
  const fromRun = bytesFromRun(request);
  const ofVariables = bytesOfVariables(request, variables);
  if (fromRun + ofVariables <= REPEATED_BYTES_FREE) return null;
  const bytes = fromRun + ofVariables + jsonBytesOf(request);
  if (bytes <= CONTENT_BYTES_MAX) return null;
  const told = `makes ${bytes} bytes for an agent; it is told at most ${CONTENT_BYTES_MAX}: put what is large into files`;
  if (fromRun >= ofVariables) {
    const detail = `take input or arguments from /run, which with each of them ${told}, or send fewer tests`;
    return { pointer: '/tests', detail };
  }
  return { pointer: '/environment', detail: `has variables that each script gets, which ${told}` };
}

/** What an order has more than its request: JSON bytes of the inputs and arguments that tests take from `run`. */
function bytesFromRun({ tests = [], run }: Pick<ExecutionRequest, 'tests' | 'run'>): number {
  const withoutInput = tests.filter(({ stdin }) => stdin === undefined).length;
  const withoutArguments = tests.filter((test) => test.arguments === undefined).length;
  const inputBytes = withoutInput === 0 ? 0 : jsonBytesOf(run.stdin ?? '');
  const argumentBytes = withoutArguments === 0 ? 0 : jsonBytesOf(run.arguments ?? []);
  return withoutInput * inputBytes + withoutArguments * argumentBytes;
}

/** Likewise of variables of environments: each script has them, and so has what says in which it runs. */
function bytesOfVariables({ compile, check }: ExecutionRequest, variables: OrderVariables): number {
  const own = (compile === undefined ? 2 : 3) * jsonBytesOf(variables.own);
  if (check === undefined || !('run' in check)) return own;
  return own + (check.compile === undefined ? 2 : 3) * jsonBytesOf(variables.check);
}

function variablesOf({ environment, check }: ExecutionRequest): OrderVariables {
  const own = typeof environment === 'string' ? {} : (environment.variables ?? {});
  const other = check !== undefined && 'run' in check ? check.environment : undefined;
  if (other === undefined) return { own, check: own };
  return { own, check: typeof other === 'string' ? {} : (other.variables ?? {}) };
}

function jsonBytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
