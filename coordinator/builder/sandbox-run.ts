/**
 * Owns carrying one launch to its end for a build: cancelling, listeners that fail, ends that are our own fault.
 * Never judges a program. Whoever asked for a kept layer releases it; after a throw there is nothing to release.
 */
import { SystemError } from '../../shared/errors.ts';
import { isJudgeable } from '../../shared/sandbox/judge.ts';
import { toLaunchSentence } from '../../shared/sandbox/launch-failure.ts';
import type {
  KeptLayer,
  Launch,
  LaunchListener,
  LaunchReport,
  LaunchSpec,
  Sandbox,
} from '../../shared/sandbox/sandbox.ts';

/** A launch that ran its program, or whose program could not be started. */
export interface EndedLaunch {
  readonly report: LaunchReport;
  readonly kept: KeptLayer;
}

/**
 * Runs a launch to its end. Throws what a listener threw, the signal's reason when it was aborted, SystemError `sandbox-failed` when
 * the sandbox could not be made.
 */
export async function runToEnd(
  sandbox: Pick<Sandbox, 'launch' | 'release'>,
  spec: LaunchSpec,
  listener: LaunchListener,
  signal: AbortSignal,
): Promise<EndedLaunch> {
  signal.throwIfAborted();
  let problem: unknown = null;
  let launch: Launch | null = null;
  /** A listener that throws must end this launch, not the connection. */
  const guarded = (action: ((chunk: Uint8Array) => void) | undefined) => (chunk: Uint8Array) => {
    if (problem !== null) return;
    try {
      action?.(chunk);
    } catch (error) {
      problem = error;
      launch?.kill();
    }
  };
  const running = sandbox.launch(spec, {
    stdout: guarded(listener.stdout?.bind(listener)),
    stderr: guarded(listener.stderr?.bind(listener)),
    network: guarded(listener.network?.bind(listener)),
  });
  launch = running;
  if (problem !== null) running.kill();
  const cancel = () => running.kill();
  signal.addEventListener('abort', cancel);
  try {
    const report = await running.report;
    if (problem === null && isJudgeable(report)) {
      return { report, kept: running.kept };
    }
    if (spec.isKept) sandbox.release(running.kept);
    if (problem !== null) throw problem;
    signal.throwIfAborted();
    throw new SystemError('sandbox-failed', `a ${spec.profile} sandbox did not run: ${toLaunchSentence(report)}`);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
