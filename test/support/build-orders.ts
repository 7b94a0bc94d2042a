/**
 * Owns build orders and a runner for tests of the builder: everything real but sandbox and parents.
 */
import { readdirSync } from 'node:fs';
import { BuildRunner } from '../../coordinator/builder/build-runner.ts';
import { BuilderConfig } from '../../coordinator/builder/config.ts';
import { Staging } from '../../coordinator/builder/staging.ts';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import type { AcquiredLayers } from '../../shared/layers/layer-source.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { BuildEvent, BuildOrder } from '../../shared/model/build.ts';
import { toEgressRules } from '../../shared/model/egress.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import { createTestKey } from './signed-layers.ts';
import { trustState } from './trust-states.ts';

const trust = trustState([createTestKey().signing]);

/** An order for a setup layer on nothing, with changes. */
export function buildOrder(changes: Partial<BuildOrder> = {}): BuildOrder {
  const empty = {
    parents: [],
    trust,
    files: [],
    variables: {},
    secrets: {},
    verify: null,
    mark: null,
    isPrivate: false,
  };
  const identity = {
    buildId: 'build_00000000',
    tenantId: 'local',
    weight: 1,
    kind: 'setup',
    base: 'debian-13',
  } as const;
  const network = { egress: toEgressRules({ name: 'test' }), isStoreUsed: true };
  return { ...identity, ...empty, ...network, script: 'true', limits: limitDefaults.build, ...changes };
}

/** The builder's settings as they are without any environment variable. */
export function builderSettings(): BuilderConfig {
  const loaded = readConfig(BuilderConfig, 'NONE', {});
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  return loaded.values;
}

/** A runner on this sandbox that stages into `directory`, and what its builds said. */
export function runnerOn(sandbox: Pick<Sandbox, 'launch' | 'release' | 'store'>, directory: string) {
  const said: BuildEvent[] = [];
  const staging = new Staging({ directory, ttlMs: 60_000, clock: systemClock, logger: silentLogger });
  const none: AcquiredLayers = { names: [], manifests: [], uses: [], release: () => undefined };
  const runner = new BuildRunner({
    sandbox,
    layers: { acquire: async () => none },
    trust: new ManifestTrust(),
    staging,
    artefacts: { access: async () => null, settle: () => undefined },
    settings: builderSettings(),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  return { runner, staging, said, emit: (event: BuildEvent) => said.push(event), staged: () => readdirSync(directory) };
}
