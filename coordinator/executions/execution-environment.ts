/**
 * Owns what is known of one environment of an execution: its own, or its check program's. Never opens or builds one.
 */
import type { EnvironmentUse, LayerUse } from '../../shared/model/environment.ts';
import type { BuildReports, ReadyEnvironment } from '../environments/environment-build.ts';

const noReports: BuildReports = { setup: null, dependencies: null, verify: null };

/** See the head of this file. */
export class ExecutionEnvironment {
  /** From the moment at which it can be used. */
  ready: ReadyEnvironment | null = null;
  /** From the moment at which it is known which one it is. */
  id: string | null = null;
  /** Tar digests of layers that were built for this execution. */
  built: ReadonlySet<string> = new Set();
  reports: BuildReports = noReports;

  /** As a result names it, with the layers that were used. */
  toUse(layers: readonly LayerUse[]): EnvironmentUse | null {
    if (this.id === null) return null;
    return {
      id: this.id,
      scope: this.ready?.scope ?? 'tenant',
      layers: layers.map((layer) => (this.built.has(layer.digest) ? { ...layer, origin: 'built' as const } : layer)),
    };
  }
}
