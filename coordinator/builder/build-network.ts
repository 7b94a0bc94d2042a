/**
 * Owns what one build gets of the network: an authority of its own, the proxy's configuration, files and variables for the sandbox.
 * Never decides what may be reached: the order's rules do. Never writes the authority's key or the store's anywhere but into the
 * configuration that the launcher passes to the proxy.
 */
import type { BuildOrder } from '../../shared/model/build.ts';
import type { ArtefactStoreAccess, EgressConfig } from '../../shared/model/egress.ts';
import type { SandboxFile } from '../../shared/sandbox/sandbox.ts';
import {
  authorityTraces,
  buildNetworkVariables,
  buildSystemFiles,
  createBuildAuthority,
} from '../egress/build-certificates.ts';
import type { BuilderConfig } from './config.ts';

/** The network side of one build. */
export interface BuildNetwork {
  /** For LaunchSpec.egress. */
  readonly egress: Uint8Array;
  readonly systemFiles: readonly SandboxFile[];
  readonly variables: Readonly<Record<string, string>>;
  /** What must not be found in the captured layer. */
  readonly traces: readonly Uint8Array[];
}

/** The settings of the builder that say where it is in the network. */
export type NetworkSettings = Pick<BuilderConfig, 'upstreamProxy' | 'caBundlePath'>;

/** The proxy's configuration; `store` is null when nothing may be kept or taken from what was kept. */
export function toEgressConfig(
  settings: NetworkSettings,
  { buildId, egress }: Pick<BuildOrder, 'buildId' | 'egress'>,
  authority: EgressConfig['authority'],
  store: ArtefactStoreAccess | null,
): EgressConfig {
  return {
    buildId,
    authority,
    caBundlePath: settings.caBundlePath === '' ? null : settings.caBundlePath,
    ...egress,
    upstreamProxy: settings.upstreamProxy === '' ? null : settings.upstreamProxy,
    store,
  };
}

/** A network for one build, with an authority made for it alone. */
export function createBuildNetwork(
  settings: NetworkSettings,
  order: Pick<BuildOrder, 'buildId' | 'egress'>,
  store: ArtefactStoreAccess | null,
): BuildNetwork {
  const authority = createBuildAuthority();
  return {
    egress: Buffer.from(JSON.stringify(toEgressConfig(settings, order, authority, store))),
    systemFiles: buildSystemFiles(authority),
    variables: buildNetworkVariables(),
    traces: authorityTraces(authority.certificatePem),
  };
}
