/**
 * Owns which environments this agent can run without its coordinator: those that it has run, with what their layers are, over restarts. Never fetches:
 * an environment whose layers are not all here is not held.
 * Invariants: by id a tenant finds only what was run for that tenant; what was run for others it finds by describing it, and only if every layer is
 * everybody's. Whatever is found was signed by a key that is trusted now, and is not revoked.
 */
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { SystemError } from '../../shared/errors.ts';
import type { LayerCache } from '../../shared/layers/layer-cache.ts';
import type { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import type { Logger } from '../../shared/logger.ts';
import { Closed, Variables } from '../../shared/model/closed.ts';
import { type EnvironmentRequest, EnvironmentScope } from '../../shared/model/environment.ts';
import { describeEnvironment, isPrivateRequest } from '../../shared/model/environment-description.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { Envelope, type LayerReference, LayerSpec } from '../../shared/model/manifest.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { RecordFolder } from '../../shared/storage/record-folder.ts';

/** An environment that can be run now. */
export interface HeldEnvironment {
  readonly id: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly scope: 'tenant' | 'shared';
  readonly layers: readonly LayerReference[];
}

interface Entry {
  readonly id: string;
  readonly tenantId: string;
  /** `shared`: every layer is everybody's. */
  readonly scope: HeldEnvironment['scope'];
  readonly variables: Readonly<Record<string, string>>;
  readonly layers: readonly Pick<LayerReference, 'spec' | 'envelope'>[];
}

const entryCheck = TypeCompiler.Compile(
  Closed({
    version: Type.Literal(1),
    id: Type.String(),
    tenantId: Type.String(),
    scope: EnvironmentScope,
    variables: Variables,
    layers: Type.Array(Closed({ spec: LayerSpec, envelope: Envelope }), { minItems: 1 }),
  }),
);

const ENTRIES_MAX = 1000;
/** Nothing is fetched from here: every layer is there already. */
const NOWHERE = 'held:';

/** What they need. */
export interface HeldEnvironmentsNeeds {
  readonly layers: Pick<LayerCache, 'held'>;
  readonly trust: Pick<ManifestTrust, 'open'>;
  readonly logger: Logger;
}

const keyOf = (tenantId: string, id: string) => `${tenantId} ${id}`;

/** See the head of this file. */
export class HeldEnvironments {
  readonly #needs: HeldEnvironmentsNeeds;
  readonly #folder: RecordFolder;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #byId = new Map<string, Set<Entry>>();

  private constructor(needs: HeldEnvironmentsNeeds, folder: RecordFolder) {
    this.#needs = needs;
    this.#folder = folder;
  }

  /** What an earlier process has run; rejects with the file system's error. */
  static async open(stateDirectory: string, needs: HeldEnvironmentsNeeds): Promise<HeldEnvironments> {
    const folder = new RecordFolder(join(stateDirectory, 'environments'));
    const held = new HeldEnvironments(needs, folder);
    for await (const text of folder.read()) {
      const entry = toEntry(text);
      if (entry !== null) held.#add(entry);
    }
    return held;
  }

  /** An order has been carried out: what it ran in is remembered. */
  ran({ environment, tenantId, layers, tests }: LeaseOrderMessage): void {
    if (environment !== undefined) this.#remember(tenantId, environment, layers);
    if (tests !== undefined && 'layers' in tests.check && tests.check.environment.id !== environment?.id) {
      this.#remember(tenantId, tests.check.environment, tests.check.layers);
    }
  }

  #remember(
    tenantId: string,
    { id, variables }: Pick<HeldEnvironment, 'id' | 'variables'>,
    layers: readonly LayerReference[],
  ): void {
    const key = keyOf(tenantId, id);
    const before = this.#entries.get(key);
    const scope = this.#scopeOf(layers);
    if (scope === null) return;
    const entry = { id, tenantId, scope, variables, layers: layers.map(({ spec, envelope }) => ({ spec, envelope })) };
    if (before !== undefined && isSame(before, entry)) {
      this.#touch(key, before);
      return;
    }
    this.#add(entry);
    this.#folder.put(key, JSON.stringify({ version: 1, ...entry })).catch((error: unknown) => {
      this.#needs.logger.error({ environmentId: id, detail: String(error) }, 'environment not remembered');
    });
  }

  /**
   * The environment that a request of this tenant names or describes. SystemError `environment-not-found`, `environment-not-held`, `request-invalid`
   * for what only a coordinator can do, or why its layers may not be used: `layer-revoked`, `layer-untrusted`, `trust-expired`.
   */
  find(tenantId: string, asked: ExecutionRequest['environment']): HeldEnvironment {
    if (typeof asked === 'string') {
      const entry = this.#entries.get(keyOf(tenantId, asked));
      if (entry === undefined)
        throw new SystemError('environment-not-found', `this agent has run no environment ${asked} for your tenant`);
      return this.#toHeld(entry, entry.variables);
    }
    checkDescription(asked);
    const { id, variables } = describeEnvironment(asked, null);
    const own = this.#entries.get(keyOf(tenantId, id));
    if (own !== undefined) return this.#toHeld(own, variables);
    // Of what is another's alone not even its trouble is told.
    const shared = [...(this.#byId.get(id) ?? [])].find(({ scope }) => scope === 'shared');
    if (shared === undefined) throw notHeld(id, 'it has not been run here');
    return this.#toHeld(shared, variables);
  }

  /** The environment that its check program has for itself, or null. */
  findCheck(tenantId: string, { check }: Pick<ExecutionRequest, 'check'>): HeldEnvironment | null {
    const asked = check !== undefined && 'run' in check ? check.environment : undefined;
    return asked === undefined ? null : this.find(tenantId, asked);
  }

  /** Null: they were revoked while they were used. */
  #scopeOf(layers: readonly LayerReference[]): HeldEnvironment['scope'] | null {
    try {
      const manifests = layers.map(({ envelope }) => this.#needs.trust.open(envelope));
      return manifests.every(({ scope }) => scope === 'shared') ? 'shared' : 'tenant';
    } catch {
      return null;
    }
  }

  #toHeld(entry: Entry, variables: Readonly<Record<string, string>>): HeldEnvironment {
    const { trust, layers } = this.#needs;
    const manifests = entry.layers.map(({ envelope }) => trust.open(envelope));
    const here = new Set(layers.held());
    const missing = manifests.find(({ tar }) => !here.has(tar.digest));
    if (missing !== undefined) throw notHeld(entry.id, `its ${missing.kind} layer is not here any more`);
    this.#touch(keyOf(entry.tenantId, entry.id), entry);
    return {
      id: entry.id,
      variables,
      scope: entry.scope,
      layers: entry.layers.map((layer) => ({ ...layer, url: NOWHERE, origin: 'stored' })),
    };
  }

  #touch(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  #add(entry: Entry): void {
    const key = keyOf(entry.tenantId, entry.id);
    this.#drop(key);
    this.#entries.set(key, entry);
    this.#byId.set(entry.id, (this.#byId.get(entry.id) ?? new Set()).add(entry));
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= ENTRIES_MAX) break;
      this.#drop(oldest);
      this.#folder.remove(oldest).catch(() => undefined);
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const same = this.#byId.get(entry.id);
    if (same?.delete(entry) && same.size === 0) this.#byId.delete(entry.id);
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#folder.settled();
  }
}

/** What needs a builder or a tenant's key is not done here. */
function checkDescription(request: EnvironmentRequest): void {
  const refuse = (pointer: string, detail: string) => {
    throw new SystemError('request-invalid', `${pointer} ${detail}`, { errors: [{ pointer, detail }] });
  };
  if (request.fresh === true) refuse('/environment/fresh', 'can not be true here: an edge builds nothing');
  if (isPrivateRequest(request))
    refuse('/environment', "is private: here it is named by its id, which only your coordinator's key makes");
}

function notHeld(id: string, reason: string): SystemError {
  const sentence = `this agent does not hold environment ${id}: ${reason}; run it once through the coordinator, an edge builds and fetches nothing`;
  return new SystemError('environment-not-held', sentence);
}

/** A specification is in what is signed. */
function isSame(one: Entry, other: Entry): boolean {
  const isSameLayer = ({ envelope }: Entry['layers'][number], index: number) => {
    const { payload, signatures } = other.layers[index]?.envelope ?? {};
    return envelope.payload === payload && JSON.stringify(envelope.signatures) === JSON.stringify(signatures);
  };
  const isSameList = one.layers.length === other.layers.length && one.layers.every(isSameLayer);
  return isSameList && JSON.stringify(one.variables) === JSON.stringify(other.variables);
}

function toEntry(text: string): Entry | null {
  try {
    const record: unknown = JSON.parse(text);
    return entryCheck.Check(record) ? record : null;
  } catch {
    return null;
  }
}
