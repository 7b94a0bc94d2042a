/**
 * Owns what a coordinator is put together from: its adapters, as ports. Types only; never opens anything.
 */
import type { Clock, Random } from '../shared/clock.ts';
import type { Logger } from '../shared/logger.ts';
import type { EgressRules } from '../shared/model/egress.ts';
import type { Recipe } from '../shared/recipes/recipe.ts';
import type { ObjectStore } from '../shared/storage/object-store.ts';
import type { Tracer } from '../shared/tracing/tracer.ts';
import type { Resolve } from './egress/vetted-lookup.ts';
import type { Builder } from './environments/builder-client.ts';
import type { Verifier } from './environments/verifier-client.ts';
import type { StateStore } from './executions/state-store.ts';
import type { InstanceKey } from './instance-key.ts';
import type { KeyRing } from './tenants/keys.ts';

/** The adapters that a coordinator runs on; `stop` closes none of them. */
export interface CoordinatorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly state: StateStore;
  readonly store: ObjectStore;
  /** Clients' files, apart from layers. */
  readonly fileObjects: ObjectStore;
  readonly builder: Builder;
  readonly verifier: Verifier;
  readonly instanceKey: InstanceKey;
  /** Keys of tenants, or null for the embedded mode. */
  readonly keys: KeyRing | null;
  /** How names of webhooks' receivers are resolved; absent: by DNS. */
  readonly resolve?: Resolve;
  /** Who is told of spans; absent: nobody. */
  readonly tracer?: Tracer;
  /** The operator's rules of the build network. */
  readonly egress: EgressRules;
  /** What /v1/recipes answers; absent: none. */
  readonly recipes?: readonly Recipe[];
}
