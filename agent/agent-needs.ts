/**
 * Owns what an agent works with and how it is set up: its ports, and the numbers of its machine. Types only.
 * Never opens anything: whoever makes an agent has done that.
 */
import type { Clock, Random } from '../shared/clock.ts';
import type { LayerCache } from '../shared/layers/layer-cache.ts';
import type { ManifestTrust } from '../shared/layers/manifest-trust.ts';
import type { Logger } from '../shared/logger.ts';
import type { Sandbox } from '../shared/sandbox/sandbox.ts';
import type { Tracer } from '../shared/tracing/tracer.ts';
import type { Identity } from './connection/identity.ts';
import type { KeptResults } from './connection/kept-results.ts';
import type { AgentFacts } from './connection/session.ts';
import type { SlotCpus } from './execution/slot-cpus.ts';
import type { AgentFiles } from './files/agent-files.ts';
import type { CompiledChecks } from './judging/compiled-checks.ts';
import type { LayerCounts } from './layers/layer-counts.ts';
import type { PolicySource } from './site/policy-file.ts';
import type { Site } from './site/site.ts';
import type { Processors } from './timing/processors.ts';

/** A cache as the agent uses it. */
export type AgentLayers = Pick<
  LayerCache,
  'acquire' | 'held' | 'prefetch' | 'takeUsed' | 'pinExactly' | 'discard' | 'watch'
>;

/** What an agent works with. */
export interface AgentNeeds {
  readonly sandbox: Pick<Sandbox, 'launch' | 'release'> & Partial<Pick<Sandbox, 'gauges'>>;
  readonly layers: AgentLayers;
  /** What is counted of them; absent: nothing. */
  readonly layerCounts?: Pick<LayerCounts, 'latest'>;
  readonly trust: Pick<ManifestTrust, 'accept' | 'fatal' | 'version' | 'revoked' | 'open'>;
  /** What its owner says; absent: nothing. */
  readonly policy?: PolicySource;
  readonly identity: Pick<Identity, 'publicKey' | 'agentId' | 'prove' | 'sign' | 'enrolled'>;
  readonly token: () => string | null;
  /** The work of its own site; absent: there is none. */
  readonly site?: Site;
  /** Files that orders name; absent: it takes no such orders. */
  readonly files?: Pick<AgentFiles, 'acquire'>;
  /** Where results outlive this process; absent: they do not. */
  readonly results?: Pick<KeptResults, 'before' | 'keep' | 'forget'>;
  /** Check programs that were compiled before; absent: none are kept. */
  readonly checks?: CompiledChecks;
  /** What is seen of this machine's processors; absent: nothing, and no times are certified. */
  readonly processors?: Processors;
  /** Who is told of spans; absent: nobody. */
  readonly tracer?: Tracer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Settings of an agent; see agent/config.ts for their meaning. */
export interface AgentOptions {
  readonly facts: AgentFacts;
  /** One, or several separated by commas. */
  readonly coordinatorUrl: string;
  /** By whom they are known that serve over TLS, as PEM. */
  readonly ca?: string | undefined;
  readonly slots: number;
  /** What all leases together may be promised, and what layers may weigh; bytes. */
  readonly offer: { readonly memoryBytes: number; readonly diskBytes: number };
  /** Processors of each slot; absent: any. */
  readonly slotCpus?: readonly SlotCpus[];
  /** How often slots with processors of their own are calibrated; 0 or absent: never. */
  readonly calibrationIntervalMs?: number;
  /** What becomes of leases while the coordinator is away for longer than they are good. */
  readonly whenCutOff: 'end' | 'finish';
  readonly outboxEntriesMax: number;
  readonly outboxBytesMax: number;
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  readonly heartbeatMs: number;
}
