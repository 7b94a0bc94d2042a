/**
 * Owns `envicutor/agent`: an agent inside somebody else's process, from one object of settings; the composition root of agents. Never reads the
 * environment, handles a signal, ends the process, or shares anything with another agent of it.
 * Invariants: what can't work is one SystemError that names every problem, and then nothing is left open; until `stop` the process stays
 * alive, as with a server that listens; after it nothing is left.
 */
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { type Clock, type Random, stayAlive, systemClock, systemRandom, type Timer } from '../shared/clock.ts';
import { SystemError } from '../shared/errors.ts';
import { readAuthority } from '../shared/http/authority.ts';
import { LayerFetcher } from '../shared/layers/layer-fetcher.ts';
import { machineArchitecture } from '../shared/layers/layer-manifest.ts';
import type { ConnectionState } from '../shared/lifecycle/agent.ts';
import { atLeast, type Logger, silentLogger } from '../shared/logger.ts';
import { additions } from '../shared/protocol/version.ts';
import { borrowSandbox, hostSandbox } from '../shared/sandbox/hosted-sandbox.ts';
import { connectLauncher } from '../shared/sandbox/launcher-client.ts';
import type { Sandbox, SandboxFacts } from '../shared/sandbox/sandbox.ts';
import type { OtlpTracer } from '../shared/tracing/otlp-tracer.ts';
import { LeasingAgent } from './agent.ts';
import type { AgentNeeds } from './agent-needs.ts';
import { type AgentOptions, toAgentConfig } from './agent-options.ts';
import type { AgentConfig } from './config.ts';
import { Identity } from './connection/identity.ts';
import { KeptResults } from './connection/kept-results.ts';
import type { AgentFacts } from './connection/session.ts';
import type { SlotCpus } from './execution/slot-cpus.ts';
import { AgentFiles } from './files/agent-files.ts';
import { CompiledChecks } from './judging/compiled-checks.ts';
import { type OpenAgentLayers, openAgentLayers } from './layers/agent-layers.ts';
import { LayerCounts } from './layers/layer-counts.ts';
import type { ContestMode } from './preflight/contest-mode.ts';
import { preflight } from './preflight/preflight.ts';
import type { Edge } from './site/edge.ts';
import { openPolicyFile, type PolicySource } from './site/policy-file.ts';
import { createMachineReader, Processors } from './timing/processors.ts';

export type { Clock, Random, Timer } from '../shared/clock.ts';
export { type ErrorCode, type ErrorPlace, SystemError } from '../shared/errors.ts';
export type { ConnectionState } from '../shared/lifecycle/agent.ts';
export type { Logger, LogLine } from '../shared/logger.ts';
export type { OwnLauncherOptions } from '../shared/sandbox/hosted-sandbox.ts';
export type { Sandbox } from '../shared/sandbox/sandbox.ts';
export type { AgentOptions } from './agent-options.ts';
export type { AgentConfig } from './config.ts';

interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Makes an agent that has not connected yet: checks its settings and this machine, opens launcher, layers and identity. SystemError
 * `configuration-invalid` or `requirement-missing` with all problems as `errors`, or that of what can't be opened.
 */
export async function createAgent(options: AgentOptions = {}): Promise<EmbeddedAgent> {
  const config = toAgentConfig(options);
  const { clock = systemClock, random = systemRandom, logger = silentLogger } = options;
  const ports = { clock, random, logger: atLeast(config.logLevel, logger) };
  // A Clock's timers hold no process: one that does nothing else would end while a launcher or a coordinator is waited for.
  const policy = openPolicyFile(config.policyFile, ports.logger);
  const alive = stayAlive();
  try {
    const { sandbox, slotCpus } = await openMachine(options, config, clock);
    try {
      const assembled = await assemble(options, config, { ...ports, policy }, sandbox, slotCpus);
      const contest = await openContestModeIfWanted(config, ports);
      return new EmbeddedAgent({ ...assembled, sandbox, contest, alive }, clock, config.drainTimeoutMs);
    } catch (error) {
      await sandbox.close();
      throw error;
    }
  } catch (error) {
    alive.cancel();
    throw error;
  }
}

/** The sandboxes and the slots of this machine; SystemError `requirement-missing`. */
async function openMachine({ sandbox, ownLauncher }: AgentOptions, config: AgentConfig, clock: Clock) {
  // The launcher's working directory is another one.
  const storeDirectory = resolve(ownLauncher?.storeDirectory ?? join(config.stateDirectory, 'store'));
  const connect = () => {
    if (sandbox !== undefined) return Promise.resolve(borrowSandbox(sandbox));
    if (ownLauncher !== undefined) return hostSandbox({ ...ownLauncher, storeDirectory });
    return connectLauncher({ socketPath: config.launcherSocketPath });
  };
  // One that we start ourselves is there, or says why not.
  const launcherWaitMs = ownLauncher === undefined ? config.launcherWaitMs : 0;
  const outcome = await preflight({ ...config, launcherWaitMs, connect, clock });
  if ('sandbox' in outcome) return outcome;
  const errors = outcome.problems.map((detail) => ({ pointer: '', detail }));
  throw new SystemError('requirement-missing', outcome.problems.join('; '), { errors });
}

async function assemble(
  options: AgentOptions,
  config: AgentConfig,
  ports: Ports & { readonly policy: PolicySource },
  sandbox: Sandbox,
  slotCpus: readonly SlotCpus[],
) {
  const identity = await Identity.open(config.stateDirectory);
  const results = await KeptResults.open(config.stateDirectory, ports.logger);
  const layers = await openAgentLayers({ sandbox, ...ports }, config);
  const { bavail, bsize } = await statfs(config.stateDirectory).catch(async (error: unknown) => {
    await layers.stop();
    throw error;
  });
  const { trust, cache } = layers;
  const { memoryBytes } = sandbox.facts;
  const offer = {
    // A tenth is left to the machine, this process, the launcher and the page cache; what compiled check programs hold is nobody else's.
    memoryBytes:
      config.memoryBytes > 0
        ? config.memoryBytes
        : Math.max(0, Math.floor(memoryBytes * 0.9) - config.compiledChecksBytesMax),
    // What layers could weigh at most: those that are here and the room beside them. What is in use may be heavier than layerBytesMax.
    diskBytes: cache.gauges().bytes + bavail * bsize,
  };
  const files = new AgentFiles(new LayerFetcher({ directory: join(config.stateDirectory, 'files') }), {
    bytesMax: config.fileBytesMax,
  });
  const token = () => options.enrolmentToken ?? readToken(config.enrolmentTokenFile, ports.logger);
  const facts = toFacts(sandbox.facts, config, slotCpus);
  const checks = new CompiledChecks(sandbox, config.compiledChecksBytesMax);
  const processors = new Processors(createMachineReader());
  const layerCounts = new LayerCounts(cache, config.stateDirectory, ports.clock);
  const known = { sandbox, layers: cache, layerCounts, files, trust, identity, token, results, checks, processors };
  const tracing = await openTracerIfWanted(ports, config);
  const needs = { ...known, ...ports, ...(tracing === null ? {} : { tracer: tracing }) };
  try {
    const edge = await openEdgeIfWanted(needs, facts, layers, config);
    const leasing = new LeasingAgent(edge === null ? needs : { ...needs, site: edge.site }, {
      ...config,
      ca: readAuthority(config.coordinatorCaFile),
      ...{ slots: slotCpus.length, slotCpus, offer },
      facts: { ...facts, understands: [...additions] },
    });
    await edge?.listen();
    return { leasing, layers, files, identity, results, edge, tracing };
  } catch (error) {
    await Promise.all([layers.stop(), tracing?.close()]);
    throw error;
  }
}

/** Loaded where it is wanted. */
async function openTracerIfWanted(
  { clock, random, logger: log }: Ports,
  { tracesUrl: url, name }: AgentConfig,
): Promise<OtlpTracer | null> {
  if (url === '') return null;
  const { OtlpTracer } = await import('../shared/tracing/otlp-tracer.ts');
  const instance = name === '' ? hostname() : name;
  return new OtlpTracer({ clock, random, log }, { url, service: 'envicutor-agent', instance, percent: 100 });
}

/** Loaded where it is wanted: an HTTP server is a part of an agent's memory. */
async function openEdgeIfWanted(
  needs: AgentNeeds,
  facts: AgentFacts,
  { trust }: OpenAgentLayers,
  config: AgentConfig,
): Promise<Edge | null> {
  if (config.edgeListenPort === 0) return null;
  const { openEdge } = await import('./site/edge.ts');
  return await openEdge({ ...needs, trust, facts }, config);
}

/** Loaded where it is wanted; it lets an agent start whatever it finds. */
async function openContestModeIfWanted(config: AgentConfig, ports: Ports): Promise<ContestMode | null> {
  if (config.contest === 'off') return null;
  const { openContestMode } = await import('./preflight/contest-mode.ts');
  return await openContestMode(config, ports);
}

function toFacts(facts: SandboxFacts, config: AgentConfig, slotCpus: readonly SlotCpus[]): AgentFacts {
  const labels = Object.fromEntries(config.labels.map((label) => label.split(/=(.*)/s, 2)));
  const { release, kernel, cores, memoryBytes } = facts;
  const name = config.name === '' ? hostname() : config.name;
  const exclusiveCores = slotCpus.every((cpus) => cpus !== null);
  const architecture = machineArchitecture;
  return { name, release, architecture, kernel, cores, memoryBytes, pool: config.pool, labels, exclusiveCores };
}

/** The enrolment token of this moment; the coordinator may have written another one since the start. */
function readToken(path: string, logger: Logger): string | null {
  if (path === '') return null;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    logger.warn({ detail: String(error) }, 'enrolment token not read');
    return null;
  }
}

/** What an agent has opened. */
interface Opened {
  readonly leasing: LeasingAgent;
  readonly layers: OpenAgentLayers;
  readonly files: AgentFiles;
  readonly identity: Identity;
  readonly results: KeptResults;
  readonly edge: Edge | null;
  readonly tracing: OtlpTracer | null;
  readonly sandbox: Sandbox;
  readonly contest: ContestMode | null;
  readonly alive: Timer;
}

/** An agent in this process; made by `createAgent`. All methods are idempotent. */
export class EmbeddedAgent implements AsyncDisposable {
  readonly #opened: Opened;
  readonly #clock: Clock;
  readonly #drainTimeoutMs: number;
  readonly #isStopping = Promise.withResolvers<false>();
  #draining: Promise<boolean> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(opened: Opened, clock: Clock, drainTimeoutMs: number) {
    this.#opened = opened;
    this.#clock = clock;
    this.#drainTimeoutMs = drainTimeoutMs;
  }

  /** Where the connection to the coordinator is (docs/lifecycles.md); `ready` takes executions. */
  get connection(): ConnectionState {
    return this.#opened.leasing.connection;
  }

  /** Connects to the coordinator, again and again, until `stop`; SystemError `conflict` after it. */
  start(): void {
    if (this.#stopping !== null) throw new SystemError('conflict', 'this agent was stopped; create another one');
    this.#opened.leasing.start();
  }

  /** Takes no more executions; resolves with true when none is held and every result has arrived, with false after drainTimeoutMs or a `stop`. */
  drain(): Promise<boolean> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#clock.after(this.#drainTimeoutMs, () => resolve(false));
    void this.#opened.leasing.drain().then(() => resolve(true));
    void this.#isStopping.promise.then(resolve);
    const isDrained = await promise;
    timer.cancel();
    return isDrained;
  }

  /** Ends what runs, without results, and closes everything that was opened; resolves when nothing of it is left. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#isStopping.resolve(false);
    const { leasing, layers, files, identity, results, edge, tracing, sandbox, contest, alive } = this.#opened;
    try {
      await Promise.all([layers.breakOff(), files.close()]);
      await Promise.all([leasing.stop(), edge?.close()]);
      await Promise.all([layers.stop(), identity.settled(), results.settled(), edge?.settled(), tracing?.close()]);
    } finally {
      await sandbox
        .close()
        // After the last program.
        .finally(() => contest?.close())
        .finally(() => alive.cancel());
    }
  }
}
