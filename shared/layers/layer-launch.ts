/**
 * Owns the launches by which a layer's bytes get into the launcher's store and are looked at there: tools of this machine in a sandbox of
 * its own, with the layer at /target and nothing else that could be written.
 * Never interprets what the tools say, but for the sentence of a failure.
 */
import { SystemError } from '../errors.ts';
import type { AllLimits } from '../model/limits.ts';
import { toFailureSentence } from '../sandbox/launch-failure.ts';
import type { Launch, LaunchReport, LaunchSpec, Sandbox } from '../sandbox/sandbox.ts';
import type { TarSource } from './tar-source.ts';

const MINUTE_MS = 60_000;
/** How much of a tool's complaint is kept; characters. */
const MESSAGE_CHARACTERS_MAX = 2048;

/** What differs between the launches. */
export interface LayerLaunch {
  /** The layer at /target. */
  readonly target: string;
  readonly argv: readonly string[];
  readonly stdin: AsyncIterable<Uint8Array> | null;
  /** Largest file that is written; bytes. */
  readonly fileSizeBytes: number;
  /** Most that is written to standard output; bytes. */
  readonly outputBytes: number;
  readonly cpuShares: number;
}

/** The whole launch. */
export function toLayerLaunch({ target, argv, stdin, fileSizeBytes, outputBytes, cpuShares }: LayerLaunch): LaunchSpec {
  const limits: AllLimits = {
    cpuTimeMs: 30 * MINUTE_MS,
    wallTimeMs: 60 * MINUTE_MS,
    idleTimeMs: 60 * MINUTE_MS,
    memoryBytes: 1024 ** 3,
    processes: 8,
    outputBytes: Math.max(64 * 1024, outputBytes),
    fileSizeBytes: Math.max(1, fileSizeBytes),
    openFiles: 256,
    stackBytes: 8 * 1024 ** 2,
    diskBytes: 16 * 1024 ** 2,
    diskInodes: 1024,
  };
  return {
    profile: 'host',
    layers: [],
    kept: [],
    isKept: false,
    target,
    capture: null,
    argv: [...argv],
    environment: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    directory: '/target',
    files: [],
    systemFiles: [],
    stdin,
    egress: null,
    limits,
    cpuShares,
    cpus: null,
    terminal: null,
    collect: null,
  };
}

/** SystemError `sandbox-failed` unless the tool ended with 0; `message` is what it complained of. */
export function checkLayerLaunch(report: LaunchReport, doing: string, message: string): void {
  if (report.end === 'exited' && report.exitCode === 0) return;
  const how =
    report.failure !== null
      ? toFailureSentence(report.failure)
      : `${report.end} ${report.exitCode ?? report.signal ?? ''} ${report.exceeded?.limit ?? ''}`.trim();
  const said = message.trim().slice(0, MESSAGE_CHARACTERS_MAX);
  throw new SystemError('sandbox-failed', `${doing} failed: ${how}: ${said}`);
}

/**
 * Has a tool fill a layer being made with a tar, fed by `feed`; SystemError `layer-corrupt` when the tar is not the signed one, else
 * `sandbox-failed` with what the tool complained of.
 */
export async function fillLayer(
  sandbox: Pick<Sandbox, 'launch'>,
  tool: Pick<LayerLaunch, 'target' | 'argv' | 'fileSizeBytes'>,
  source: TarSource,
  feed: (abandon: () => void) => AsyncIterable<Uint8Array>,
  doing: string,
): Promise<void> {
  let message = '';
  const stdin = feed(() => launch.kill());
  const launch: Launch = sandbox.launch(toLayerLaunch({ ...tool, stdin, outputBytes: 0, cpuShares: 1024 }), {
    stderr: (chunk) => {
      if (message.length < MESSAGE_CHARACTERS_MAX) message += Buffer.from(chunk).toString('utf8');
    },
  });
  const report = await launch.report;
  source.checkWhatPassed();
  checkLayerLaunch(report, doing, message);
  source.checkAll();
}
