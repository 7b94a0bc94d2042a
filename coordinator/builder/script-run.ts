/**
 * Owns running one script of a build to its Report: live log, the proxy's records, the verdict.
 * Never keeps what a failed script wrote: its writable layer is released here.
 */
import type { BuildEvent } from '../../shared/model/build.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { judge } from '../../shared/sandbox/judge.ts';
import type { KeptLayer, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';
import { LogStream, type Masking } from './build-log.ts';
import { EgressRecords } from './egress-records.ts';
import { runToEnd } from './sandbox-run.ts';

/** What running a script needs besides its launch. */
export interface ScriptSetting {
  readonly sandbox: Pick<Sandbox, 'launch' | 'release'>;
  readonly emit: (event: BuildEvent) => void;
  /** Null when there are no secrets. */
  readonly masking: Masking | null;
  readonly signal: AbortSignal;
}

/** How a script ended. */
export interface ScriptOutcome {
  readonly report: Report;
  readonly records: EgressRecords;
  /** Its writable layer, to be released; null unless it was to be kept and the script succeeded. */
  readonly kept: KeptLayer | null;
}

/** Runs a script; with `divert` its standard output goes there instead of into log and Report. */
export async function runScript(
  setting: ScriptSetting,
  spec: LaunchSpec,
  divert: ((chunk: Uint8Array) => void) | null = null,
): Promise<ScriptOutcome> {
  const { sandbox, emit, masking, signal } = setting;
  const stdout = new LogStream('stdout', emit, masking);
  const stderr = new LogStream('stderr', emit, masking);
  const records = new EgressRecords((sentence) => {
    emit({ type: 'log', stream: 'network', text: `${sentence}\n` });
  }, masking);
  const { report: launch, kept } = await runToEnd(
    sandbox,
    spec,
    {
      stdout: divert ?? ((chunk) => stdout.append(chunk)),
      stderr: (chunk) => stderr.append(chunk),
      network: (chunk) => {
        records.push(chunk);
        emit({ type: 'fetched', ...records.fetched });
      },
    },
    signal,
  );
  stdout.end();
  stderr.end();
  const report = judge({
    launch,
    limits: spec.limits,
    stdout: stdout.bytes(),
    stderr: stderr.bytes(),
    slot: null,
  });
  const isToBeKept = spec.isKept && report.verdict === 'ok';
  if (spec.isKept && !isToBeKept) sandbox.release(kept);
  return { report, records, kept: isToBeKept ? kept : null };
}
