/**
 * Owns one layer's build as a straight line: parents, script, capture, `verify` script, staged layer.
 * Never publishes, never keeps what a failed or cancelled build wrote, never captures before every process is dead (the launcher's report).
 * Invariant: when `run` returns a layer its staging folder holds it; in every other case the folder is gone.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { LayerInstaller } from '../../shared/layers/layer-installer.ts';
import type { LayerSource } from '../../shared/layers/layer-source.ts';
import type { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import type { Logger } from '../../shared/logger.ts';
import type { BuildEvent, BuildOrder, StagedLayer } from '../../shared/model/build.ts';
import type { KeptLayer, Sandbox } from '../../shared/sandbox/sandbox.ts';
import type { ArtefactFolder } from './artefact-folder.ts';
import { type Ground, rawTarBytesMax, toBaseSpec, toCaptureSpec, toScriptSpec } from './build-launches.ts';
import { createMasking, type Masking } from './build-log.ts';
import { type BuildNetwork, createBuildNetwork, type NetworkSettings } from './build-network.ts';
import { captureSentences } from './capture-notes.ts';
import type { BuilderConfig } from './config.ts';
import { type CapturedLayer, LAYER_ENTRIES_MAX, LAYER_NAMES_BYTES_MAX, LayerCapture } from './layer-capture.ts';
import { createProgress } from './progress.ts';
import { runToEnd } from './sandbox-run.ts';
import { runScript, type ScriptOutcome, type ScriptSetting } from './script-run.ts';
import type { Staging } from './staging.ts';
import { runVerifyScript } from './verify-script.ts';

/** The last event of a build that ran to its end. */
export type FinishedBuild = Extract<BuildEvent, { type: 'finished' }>;

/** Settings and neighbours of a runner. */
export interface BuildRunnerOptions {
  readonly sandbox: Pick<Sandbox, 'launch' | 'release' | 'store'>;
  readonly layers: Pick<LayerSource, 'acquire'>;
  readonly trust: Pick<ManifestTrust, 'catchUp'>;
  readonly staging: Staging;
  readonly artefacts: Pick<ArtefactFolder, 'access' | 'settle'>;
  readonly settings: NetworkSettings & Pick<BuilderConfig, 'debianMirror' | 'cpuShares'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** One build under way. */
interface Build {
  readonly order: BuildOrder;
  readonly folder: string;
  readonly ground: Ground;
  readonly network: BuildNetwork;
  readonly setting: ScriptSetting;
}

const DIAGNOSIS_CHARACTERS_MAX = 2000;
/** A proxy that has not begun after so long will not: whatever the script made of that is no verdict about it. */
const PROXY_START_MS_MAX = 5000;

/** Runs builds; SystemError when one could not be carried out, the signal's reason when it was cancelled. */
export class BuildRunner {
  readonly #options: BuildRunnerOptions;
  readonly #installer: LayerInstaller;

  constructor(options: BuildRunnerOptions) {
    this.#options = options;
    this.#installer = new LayerInstaller(options);
  }

  async run(order: BuildOrder, emit: (event: BuildEvent) => void, signal: AbortSignal): Promise<FinishedBuild> {
    const { staging, layers, trust, sandbox, settings, artefacts, clock } = this.#options;
    emit({ type: 'phase', phase: 'fetching-parents' });
    trust.catchUp(order.trust);
    const progress = createProgress('fetching-parents', emit, clock, null);
    const acquired = await layers.acquire(order.parents, order.tenantId, progress);
    const masking = Object.keys(order.secrets).length > 0 ? createMasking(order.secrets) : null;
    let layer: StagedLayer | null = null;
    try {
      signal.throwIfAborted();
      const ground: Ground = {
        layers: acquired.names,
        variables: Object.assign({}, ...acquired.manifests.map(({ variables }) => variables)),
      };
      const finished = await this.#build({
        order,
        folder: await staging.create(order.buildId),
        ground,
        network: createBuildNetwork(settings, order, await artefacts.access(order)),
        setting: { sandbox, emit, masking, signal },
      });
      layer = finished.layer;
      return finished;
    } catch (error) {
      throw masking === null ? error : toMasked(error, masking);
    } finally {
      acquired.release();
      artefacts.settle();
      if (layer === null) await staging.remove(order.buildId);
      else staging.expire(order.buildId);
    }
  }

  async #build(build: Build): Promise<FinishedBuild> {
    const { order, setting } = build;
    setting.emit({ type: 'phase', phase: 'running' });
    const { outcome, captured } = order.kind === 'base' ? await this.#base(build) : await this.#script(build);
    const { report, records } = outcome;
    assertServed(outcome);
    const finished: FinishedBuild = {
      type: 'finished',
      endedIn: report.verdict === 'ok' ? null : order.kind,
      report,
      verify: null,
      layer: captured?.staged ?? null,
      materials: [...records.records],
      isNetworkUnreachable: records.isUnreachable,
      isPrivate: isPrivate(build, records),
    };
    if (captured === null) return finished;
    const { incompleteness } = records;
    if (incompleteness !== null) {
      throw new SystemError('build-failed', `the record of what the build fetched is incomplete: ${incompleteness}`);
    }
    const { masking } = setting;
    for (const text of captureSentences(captured)) {
      setting.emit({ type: 'log', stream: 'stderr', text: masking === null ? text : masking(text) });
    }
    return order.verify === null ? finished : await this.#verify(build, order.verify, captured.staged, finished);
  }

  async #verify(build: Build, script: string, staged: StagedLayer, finished: FinishedBuild): Promise<FinishedBuild> {
    const { order, folder, ground, setting } = build;
    const { sandbox, settings } = this.#options;
    setting.emit({ type: 'phase', phase: 'verify-script' });
    const verification = { order, script, staged, folder, ground, cpuShares: settings.cpuShares };
    const verify = await runVerifyScript(verification, { ...setting, sandbox, installer: this.#installer });
    if (verify.verdict === 'ok') return { ...finished, verify };
    return { ...finished, verify, endedIn: 'verify', layer: null };
  }

  /** A base: mmdebstrap's tar is captured while it comes. */
  async #base(build: Build): Promise<{ outcome: ScriptOutcome; captured: CapturedLayer | null }> {
    const { order, network, setting } = build;
    const { debianMirror, cpuShares } = this.#options.settings;
    return await this.#capturing(build, async (capture) => {
      const progress = createProgress('running', setting.emit, this.#options.clock, null);
      const spec = toBaseSpec(order, network, debianMirror, cpuShares);
      const outcome = await runScript(setting, spec, (chunk) => {
        capture.push(chunk);
        progress(capture.rawBytes);
      });
      return { outcome, isToBeFinished: outcome.report.verdict === 'ok' };
    });
  }

  /** A script: what it left is captured when its last process is dead. */
  async #script(build: Build): Promise<{ outcome: ScriptOutcome; captured: CapturedLayer | null }> {
    const { order, ground, network, setting } = build;
    const { settings, sandbox } = this.#options;
    const outcome = await runScript(setting, toScriptSpec(order, ground, network, settings.cpuShares));
    const { kept } = outcome;
    if (kept === null) return { outcome, captured: null };
    try {
      setting.emit({ type: 'phase', phase: 'capturing' });
      return await this.#capturing(build, async (capture) => {
        await this.#readKept(build, kept, outcome.report.usage.diskBytes, capture);
        return { outcome, isToBeFinished: true };
      });
    } finally {
      sandbox.release(kept);
    }
  }

  async #readKept({ order, setting }: Build, kept: KeptLayer, bytes: number, capture: LayerCapture): Promise<void> {
    const { settings, sandbox, clock } = this.#options;
    const progress = createProgress('capturing', setting.emit, clock, bytes);
    let diagnosis = '';
    const { report } = await runToEnd(
      sandbox,
      toCaptureSpec(kept, order.limits, settings.cpuShares),
      {
        stdout: (chunk) => {
          capture.push(chunk);
          progress(capture.rawBytes);
        },
        stderr: (chunk) => {
          diagnosis = (diagnosis + Buffer.from(chunk).toString('utf8')).slice(0, DIAGNOSIS_CHARACTERS_MAX);
        },
      },
      setting.signal,
    );
    if (report.end === 'exited' && report.exitCode === 0) return;
    const how = report.exceeded?.limit ?? report.failure?.step ?? report.exitCode ?? report.end;
    throw new SystemError('build-failed', `reading what the script left behind failed (${how}): ${diagnosis.trim()}`);
  }

  /** Gives `fill` a capture and finishes it when it says so; else, or when it throws, nothing is left of it. */
  async #capturing(
    build: Build,
    fill: (capture: LayerCapture) => Promise<{ outcome: ScriptOutcome; isToBeFinished: boolean }>,
  ): Promise<{ outcome: ScriptOutcome; captured: CapturedLayer | null }> {
    const { order, folder, network, setting } = build;
    const bounds = {
      entriesMax: LAYER_ENTRIES_MAX,
      bytesMax: rawTarBytesMax(order.limits),
      namesBytesMax: LAYER_NAMES_BYTES_MAX,
    };
    const capture = new LayerCapture({ buildId: order.buildId, folder, traces: network.traces, bounds });
    try {
      const { outcome, isToBeFinished } = await fill(capture);
      if (!isToBeFinished) return { outcome, captured: null };
      if (order.kind === 'base') setting.emit({ type: 'phase', phase: 'capturing' });
      const progress = createProgress('capturing', setting.emit, this.#options.clock, capture.rawBytes);
      const mark = isPrivate(build, outcome.records) ? order.mark : null;
      return { outcome, captured: await capture.finish(progress, mark) };
    } finally {
      capture.close();
    }
  }
}

/** A script may put a secret into a file's name, which is then told. */
function toMasked(error: unknown, masking: Masking): unknown {
  return error instanceof SystemError ? new SystemError(error.code, masking(error.message)) : error;
}

/** Known when the script has ended and the proxy with it: only then is it known what its requests carried. */
function isPrivate({ order, setting }: Build, records: ScriptOutcome['records']): boolean {
  return order.isPrivate || setting.masking !== null || records.isWithCredentials;
}

/** Some clients succeed without a network (apt-get update does): that must not become a layer, nor a script's failure. */
function assertServed({ report, records }: ScriptOutcome): void {
  if (records.isServed || report.usage.wallTimeMs < PROXY_START_MS_MAX) return;
  throw new SystemError(
    'build-failed',
    "the build's egress proxy did not start; its messages are in the launcher's log",
  );
}
