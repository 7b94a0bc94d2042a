/**
 * A hand-written Sandbox for tests of those who launch: it remembers what was launched and ends each launch as its script says.
 * Never runs anything. The real one is proven in test/contract/sandbox.test.ts.
 */
import type { Launch, LaunchListener, LaunchReport, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';

/** The report of a program that ended well, with changes. */
export function launchReport(changes: Partial<LaunchReport> = {}): LaunchReport {
  const usage = { cpuTimeMs: 1, cpuUserMs: 1, cpuSystemMs: 0, wallTimeMs: 2, memoryPeakBytes: 1, processesPeak: 1 };
  const bytes = { stdoutBytes: 0, stderrBytes: 0, stdinBytes: 0, diskBytes: 0, diskInodes: 1 };
  const counts = { voluntarySwitches: 0, involuntarySwitches: 0, throttledMs: 0, oomKills: 0 };
  const times = { startedAtMs: 1000, endedAtMs: 1002, takeMs: 0.1, mountMs: 0.2, execMs: 0.3, collectMs: 0.4 };
  const ended = { end: 'exited', exitCode: 0, signal: null, failure: null, exceeded: null, diskFull: null } as const;
  const flags = { stdoutTruncated: false, stderrTruncated: false };
  return { ...ended, ...flags, ...usage, ...bytes, ...counts, ...times, ...changes };
}

/** What a launch does: report at once, report later, or throw what a lost launcher would. */
export type LaunchScript = (spec: LaunchSpec, listener: LaunchListener) => LaunchReport | Promise<LaunchReport>;

/** A sandbox whose launches follow `script`; a kill ends one with `client`. */
export class FakeSandbox implements Pick<Sandbox, 'launch' | 'release'> {
  readonly launched: LaunchSpec[] = [];
  readonly released: bigint[] = [];
  kills = 0;
  readonly #script: LaunchScript;

  constructor(script: LaunchScript) {
    this.#script = script;
  }

  launch(spec: LaunchSpec, listener: LaunchListener = {}): Launch {
    this.launched.push(spec);
    const { promise, resolve, reject } = Promise.withResolvers<LaunchReport>();
    const kill = (): void => {
      this.kills++;
      resolve(launchReport({ end: 'client', exitCode: null, signal: 9 }));
    };
    new Promise<LaunchReport>((settle) => settle(this.#script(spec, listener))).then(resolve, reject);
    const nothing = () => undefined;
    const kept = { launch: BigInt(this.launched.length) };
    return { report: promise, kept, kill, resize: nothing, signal: nothing, taken: nothing };
  }

  release(kept: { readonly launch: bigint }): void {
    this.released.push(kept.launch);
  }
}
