/**
 * Owns who may use an agent's local API: keys from its owner's file, each with the tenant whose work it is and what it may ask for.
 * Never keeps a key in clear: the file holds sha256 digests.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Static, Type } from '@sinclair/typebox';
import { SystemError } from '../../shared/errors.ts';
import { findPlaces } from '../../shared/http/validation.ts';
import { resolveCheckLimits } from '../../shared/model/check-limits.ts';
import { Closed } from '../../shared/model/closed.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import type { CheckProgram } from '../../shared/model/judging.ts';
import { type AllLimits, Limits, limitMaxima, resolveLimits } from '../../shared/model/limits.ts';

/** Content of the file. */
export const EdgeKeysFile = Closed({
  keys: Type.Array(
    Closed({
      name: Type.String({ minLength: 1, maxLength: 64, description: 'For the log and for people.' }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the key.' }),
      tenant: Type.String({
        pattern: '^[0-9a-z][0-9a-z-]{0,63}$',
        description: "Whose work this is, by the coordinator's name for it.",
      }),
      limits: Type.Optional(Limits),
    }),
    { minItems: 1, maxItems: 1000 },
  ),
});

/** Somebody who may ask. */
export interface EdgeKey {
  readonly name: string;
  readonly tenantId: string;
  /** The most that a script may ask for. */
  readonly maxima: AllLimits;
}

/** Finds whose a key is. */
export interface EdgeKeyRing {
  find(key: string): EdgeKey | null;
}

/** Reads the file; SystemError `configuration-invalid` that names what is wrong with it. */
export function readEdgeKeys(path: string): EdgeKeyRing {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw invalid(path, `can't be read: ${said}`, cause);
  }
  const [place] = findPlaces(EdgeKeysFile, content);
  if (place !== undefined) throw invalid(path, `${place.pointer} ${place.detail}`);
  return createEdgeKeyRing(content as Static<typeof EdgeKeysFile>, path);
}

/** A ring of these keys; SystemError `configuration-invalid` when two share a name or a digest. */
export function createEdgeKeyRing({ keys }: Static<typeof EdgeKeysFile>, path = ''): EdgeKeyRing {
  const known = new Map<string, { readonly digest: Buffer; readonly key: EdgeKey }>();
  const names = new Set<string>();
  for (const { name, sha256, tenant: tenantId, limits } of keys) {
    if (names.has(name)) throw invalid(path, `key '${name}' is listed twice`);
    if (known.has(sha256)) throw invalid(path, `the digest of key '${name}' is listed twice`);
    names.add(name);
    const key = { name, tenantId, maxima: { ...limitMaxima, ...limits } };
    known.set(sha256, { digest: Buffer.from(sha256, 'hex'), key });
  }
  return {
    find(text) {
      const digest = createHash('sha256').update(text).digest();
      const entry = known.get(digest.toString('hex'));
      return entry !== undefined && timingSafeEqual(entry.digest, digest) ? entry.key : null;
    },
  };
}

/** The request with all limits that are in force: whoever takes it up after a restart does not know its key. */
export function toBounded(request: ExecutionRequest, maxima: AllLimits): ExecutionRequest {
  const { compile, run, check } = request;
  const bound = (asked: Limits | undefined, purpose: 'compile' | 'run') =>
    resolveLimits(asked ?? {}, purpose, maxima).limits;
  return {
    ...request,
    ...(compile === undefined ? {} : { compile: { ...compile, limits: bound(compile.limits, 'compile') } }),
    run: { ...run, limits: bound(run.limits, 'run') },
    ...(check !== undefined && 'run' in check ? { check: toBoundedCheck(check, run.limits, maxima) } : {}),
  };
}

function toBoundedCheck(check: CheckProgram, solution: Limits | undefined, maxima: AllLimits): CheckProgram {
  const { compile, run } = check;
  const bounded = { ...check, run: { ...run, limits: resolveCheckLimits(check, solution, maxima) } };
  if (compile === undefined) return bounded;
  return { ...bounded, compile: { ...compile, limits: resolveLimits(compile.limits ?? {}, 'compile', maxima).limits } };
}

function invalid(path: string, problem: string, cause?: unknown): SystemError {
  return new SystemError('configuration-invalid', `the file of edge keys ${path}: ${problem}`, { cause });
}
