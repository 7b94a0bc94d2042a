/**
 * Owns specifications of layers for tests: valid ones, told apart by a script.
 */
import { digestOf } from '../../shared/digest.ts';
import { machineArchitecture } from '../../shared/layers/layer-manifest.ts';
import type { LayerSpec } from '../../shared/model/manifest.ts';

/** What a setup layer of this script is to be, with changes. */
export function specOf(script: string, changes: Partial<LayerSpec> = {}): LayerSpec {
  return {
    kind: 'setup',
    base: 'debian-13',
    architecture: machineArchitecture,
    script: digestOf(script),
    verify: null,
    observable: digestOf('{}'),
    limits: digestOf('limits'),
    egress: 'any',
    capture: 2,
    builder: 1,
    epoch: '1',
    salt: digestOf(''),
    generation: '',
    ...changes,
  };
}
