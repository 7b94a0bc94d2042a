/**
 * Owns the API's description as the code alone gives it: a coordinator is wired to nobody, asked what it would serve, and never started.
 * Never says what a certain instance is set to. Whoever serves the API serves the same at /openapi.json.
 */
import { Value } from '@sinclair/typebox/value';
import { CoordinatorConfig } from '../../coordinator/config.ts';
import { wireCoordinator } from '../../coordinator/coordinator.ts';
import type { CoordinatorDeps } from '../../coordinator/coordinator-deps.ts';
import { systemRandom } from '../../shared/clock.ts';

/** Stands for every adapter: whatever is asked of it is there, does nothing and is the same again. */
const nobody: object = new Proxy(() => nobody, {
  get: (_target, name) => (name === 'then' ? undefined : name === Symbol.toPrimitive ? () => 0 : nobody),
  apply: () => nobody,
});

const adapterNames: readonly (keyof CoordinatorDeps)[] = [
  ...(['clock', 'log', 'state', 'store', 'fileObjects', 'builder', 'verifier'] as const),
  'egress',
];
/** Keys are bytes to whoever derives one. */
const instanceKey = { derive: () => new Uint8Array(32) };

/** The description as JSON, of an instance with or without keys. */
export function describeApi(isKeyed: boolean): string {
  const adapters = Object.fromEntries(adapterNames.map((name) => [name, nobody]));
  const deps = {
    ...adapters,
    instanceKey,
    random: systemRandom,
    keys: isKeyed ? nobody : null,
  } as unknown as CoordinatorDeps;
  return wireCoordinator(deps, Value.Create(CoordinatorConfig)).describe();
}
