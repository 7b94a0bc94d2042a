/**
 * Owns what one build gets of the network: an authority of its own, the proxy's configuration, files and variables for the sandbox.
 * Never writes the authority's key anywhere but into the configuration that the launcher passes to the proxy.
 */
import type { EgressConfig, EgressPolicy, EgressQuotas } from '../../shared/model/egress.ts';
import { defaultEgressQuotas } from '../../shared/model/egress.ts';
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

/** The settings of the builder that are about the network. */
export type NetworkSettings = Pick<
  BuilderConfig,
  | 'allowedHosts'
  | 'deniedHosts'
  | 'allowedPrivateRanges'
  | 'deniedRanges'
  | 'isPlainHttpAllowed'
  | 'upstreamProxy'
  | 'caBundlePath'
  | 'egressBytesMax'
  | 'egressRequestsMax'
  | 'egressHostsMax'
  | 'egressConnectionsMax'
>;

function toPolicy(settings: NetworkSettings): EgressPolicy {
  return {
    allowHosts: [...settings.allowedHosts],
    denyHosts: [...settings.deniedHosts],
    allowedPrivateRanges: [...settings.allowedPrivateRanges],
    deniedRanges: [...settings.deniedRanges],
    isPlainHttpAllowed: settings.isPlainHttpAllowed,
  };
}

function toQuotas(settings: NetworkSettings): EgressQuotas {
  return {
    ...defaultEgressQuotas,
    bytesMax: settings.egressBytesMax,
    requestsMax: settings.egressRequestsMax,
    hostsMax: settings.egressHostsMax,
    connectionsMax: settings.egressConnectionsMax,
  };
}

/** The proxy's configuration as the builder's settings give it, but for the authority. */
export function toEgressConfig(
  settings: NetworkSettings,
  buildId: string,
  authority: EgressConfig['authority'],
): EgressConfig {
  return {
    buildId,
    authority,
    caBundlePath: settings.caBundlePath === '' ? null : settings.caBundlePath,
    policy: toPolicy(settings),
    quotas: toQuotas(settings),
    upstreamProxy: settings.upstreamProxy === '' ? null : settings.upstreamProxy,
  };
}

/** A network for one build, with an authority made for it alone. */
export function createBuildNetwork(settings: NetworkSettings, buildId: string): BuildNetwork {
  const authority = createBuildAuthority();
  return {
    egress: Buffer.from(JSON.stringify(toEgressConfig(settings, buildId, authority))),
    systemFiles: buildSystemFiles(authority),
    variables: buildNetworkVariables(),
    traces: authorityTraces(authority.certificatePem),
  };
}
