/**
 * Owns a layer manifest's way into and out of an envelope, and where the objects of a layer stand in the store.
 * Never trusts: what is not signed by a given key, not of the schema or not for this tenant is refused.
 * Invariant: a LayerManifest from here was decoded from the very bytes whose signature was checked.
 */
import type { Static, TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Canonical, canonicalJson, type Digest, digestHex } from '../digest.ts';
import { SystemError } from '../errors.ts';
import { Envelope, LayerManifest, Scope, type TrustedKey } from '../model/manifest.ts';
import { openEnvelope, type SigningKey, signEnvelope } from './envelope.ts';

/** DSSE payload type of a layer manifest. */
export const MANIFEST_PAYLOAD_TYPE = 'application/vnd.envicutor.layer+json';

/** No envelope of a manifest is larger, in bytes; its variables are the only part without a small bound. */
export const ENVELOPE_BYTES_MAX = 4 * 1024 * 1024;

const manifestCheck = TypeCompiler.Compile(LayerManifest);
const envelopeCheck = TypeCompiler.Compile(Envelope);
const scopeCheck = TypeCompiler.Compile(Scope);

/** The manifest in a signed envelope; throws TypeError when it is not of the schema, since that is our own mistake. */
export function signManifest(manifest: LayerManifest, key: SigningKey): Envelope {
  const problem = problemOf(manifestCheck, manifest);
  if (problem !== null) throw new TypeError(`a manifest to be signed is not valid: ${problem}`);
  return signEnvelope(MANIFEST_PAYLOAD_TYPE, Buffer.from(canonicalJson(manifest as Canonical)), key);
}

/** The manifest in an envelope; SystemError `layer-untrusted` unless a trusted key signed it and it is of the schema. */
export function openManifest(envelope: Envelope, trustedKeys: readonly TrustedKey[]): LayerManifest {
  const payload = openEnvelope(envelope, trustedKeys, MANIFEST_PAYLOAD_TYPE);
  const manifest = parse(payload, 'a signed manifest');
  const problem = problemOf(manifestCheck, manifest);
  if (problem !== null) throw new SystemError('layer-untrusted', `a signed manifest is not valid: ${problem}`);
  return manifest as LayerManifest;
}

/** The stored form of an envelope. */
export function encodeEnvelope(envelope: Envelope): Buffer {
  return Buffer.from(JSON.stringify(envelope));
}

/** An envelope from its stored form, unverified; SystemError `layer-untrusted` when it is none. */
export function decodeEnvelope(stored: Uint8Array): Envelope {
  const envelope = parse(stored, 'a stored envelope');
  const problem = problemOf(envelopeCheck, envelope);
  if (problem !== null) throw new SystemError('layer-untrusted', `a stored envelope is not valid: ${problem}`);
  return envelope as Envelope;
}

/** The scope of what belongs to one tenant; throws TypeError for an id that can't be part of one. */
export function tenantScope(tenantId: string): Scope {
  const scope = `tenant-${tenantId}`;
  if (!scopeCheck.Check(scope)) throw new TypeError(`${JSON.stringify(tenantId)} can't be a tenant's id`);
  return scope;
}

/** The tenant whose layer it is; null for a shared one, which is nobody's. */
export function ownerOf({ scope }: Pick<LayerManifest, 'scope'>): string | null {
  return scope === 'shared' ? null : scope.slice('tenant-'.length);
}

/** Throws SystemError `layer-untrusted` unless this tenant may use the layer. */
export function checkScope(manifest: LayerManifest, tenantId: string): void {
  if (manifest.scope !== 'shared' && manifest.scope !== `tenant-${tenantId}`) {
    throw new SystemError(
      'layer-untrusted',
      `layer ${manifest.key} is of scope ${manifest.scope}, not for this tenant`,
    );
  }
}

/** This machine's architecture as manifests name it. */
export const machineArchitecture: LayerManifest['architecture'] = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** Throws SystemError `layer-untrusted` for a layer of another architecture: it would not run, so nobody meant it for here. */
export function checkArchitecture(manifest: LayerManifest): void {
  if (manifest.architecture !== machineArchitecture) {
    throw new SystemError(
      'layer-untrusted',
      `layer ${manifest.key} is for ${manifest.architecture}, this machine is ${machineArchitecture}`,
    );
  }
}

/** Throws SystemError `layer-untrusted` unless each layer was built on exactly those before it in the list, lowest first. */
export function checkParents(manifests: readonly LayerManifest[]): void {
  const below: string[] = [];
  for (const manifest of manifests) {
    if (manifest.parents.length !== below.length || manifest.parents.some((parent, index) => parent !== below[index])) {
      throw new SystemError(
        'layer-untrusted',
        `layer ${manifest.key} was built on [${manifest.parents}], not on [${below}]`,
      );
    }
    below.push(manifest.tar.digest);
  }
}

/** Key of a blob in the store. */
export function blobKey(digest: string): string {
  return `cas/sha256/${digestHex(digest as Digest)}`;
}

/** Key of a provenance statement in the store. */
export function provenanceKey(digest: string): string {
  return `provenance/sha256/${digestHex(digest as Digest)}`;
}

/** Key of a manifest in the store. */
export function manifestKey(scope: Scope, key: string): string {
  return `manifests/${scope}/${key}.dsse`;
}

/** Name of a layer in the launcher's store. */
export function layerName(tarDigest: string): string {
  return `sha256-${digestHex(tarDigest as Digest)}`;
}

function parse(json: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (cause) {
    throw new SystemError('layer-untrusted', `${what} is not JSON`, { cause });
  }
}

function problemOf<Schema extends TSchema>(
  check: {
    Check(value: unknown): value is Static<Schema>;
    Errors: (value: unknown) => Iterable<{ path: string; message: string }>;
  },
  value: unknown,
): string | null {
  if (check.Check(value)) return null;
  for (const { path, message } of check.Errors(value)) return `${path === '' ? '/' : path}: ${message}`;
  return 'not of its schema';
}
