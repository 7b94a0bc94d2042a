/**
 * Owns which requests are the same environment: `env_` ids, the same at a coordinator and at an edge that has nobody to ask. Pure: the same inputs give
 * the same text for ever; test vectors hold it still.
 * Invariant: a secret's value is in no digest but under a tenant's key.
 */
import assert from 'node:assert/strict';
import { createHash, createHmac, type Hmac } from 'node:crypto';
import { type Canonical, canonicalJson, digestOf } from '../digest.ts';
import { type EnvironmentId, toBase32 } from '../ids.ts';
import type { EnvironmentRequest, File } from './environment.ts';
import { type AllLimits, buildLimitMaxima, resolveLimits } from './limits.ts';

/** An environment request with everything filled in. */
export interface EnvironmentDescription {
  readonly id: EnvironmentId;
  readonly request: EnvironmentRequest;
  readonly base: 'debian-13' | 'debian-12';
  /** Null: there is no such layer. */
  readonly setup: string | null;
  readonly dependencies: string | null;
  readonly verify: string | null;
  readonly files: readonly File[];
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly limits: AllLimits;
  readonly isPrivate: boolean;
  /** What scripts can observe of files, variables and secrets, canonical. */
  readonly observable: Canonical;
}

const hasMembers = (record: Readonly<Record<string, string>>) => Object.keys(record).length > 0;

function toObservable(
  files: readonly File[],
  variables: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
  key: Uint8Array | null,
): Canonical {
  const marked: [string, string][] = Object.entries(secrets).map(([name, value]) => [
    name,
    keyed(key).update(`secret\0${value}`).digest('hex'),
  ]);
  return {
    files: files
      .map(({ path, content, encoding, executable }) => ({
        path,
        sha256: digestOf(Buffer.from(content, encoding ?? 'utf8')),
        executable: executable ?? false,
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    variables: { ...variables },
    secrets: Object.fromEntries(marked),
  };
}

/** Is this somebody's alone, so that its id is made with its tenant's key? */
export function isPrivateRequest({ visibility, secrets = {} }: EnvironmentRequest): boolean {
  return visibility === 'private' || hasMembers(secrets);
}

function keyed(key: Uint8Array | null): Hmac {
  assert(key !== null, 'what is private has no name without the key of its tenant');
  return createHmac('sha256', key);
}

/** Fills in what a request leaves out and gives it its id; without a tenant only what is not private. */
export function describeEnvironment(
  request: EnvironmentRequest,
  tenant: { readonly key: Uint8Array } | null,
): EnvironmentDescription {
  const key = tenant?.key ?? null;
  const { base = 'debian-13', files = [], variables = {}, secrets = {} } = request;
  const isPrivate = isPrivateRequest(request);
  const { limits } = resolveLimits(request.limits ?? {}, 'build', buildLimitMaxima);
  const dependencies = request.dependencies ?? null;
  const verify = request.verify ?? null;
  // A base is nobody's own: what is to be verified needs a layer of its own, be it an empty one.
  const setup = request.setup ?? (verify !== null && dependencies === null ? '' : null);
  const observable = toObservable(files, variables, secrets, key);
  const identity = canonicalJson({ version: 1, base, setup, dependencies, verify, isPrivate, observable, limits });
  const digest = isPrivate
    ? keyed(key).update(`environment/v1\0${identity}`).digest()
    : createHash('sha256').update(`environment/v1\0${identity}`).digest();
  const id = `env_${toBase32(digest)}` as EnvironmentId;
  return { id, request, base, setup, dependencies, verify, files, variables, secrets, limits, isPrivate, observable };
}
