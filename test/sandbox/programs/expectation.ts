/**
 * What one hostile program must get: exact output, verdict and cause. Data only.
 * Never a duration: a clock is no proof on a busy machine. What is left out is the plain success of a program that says nothing.
 */
import type { AllLimits, LimitName } from '../../../shared/model/limits.ts';
import type { Report, Verdict } from '../../../shared/model/verdict.ts';
import type { CollectedState, SandboxFile, TerminalSize } from '../../../shared/sandbox/sandbox.ts';
import type { KernelFault } from '../../support/guest.ts';

/** The table's row; what the program tries stands in its own first comment. */
export interface Expectation {
  /** Exact standard output, or its pattern where a figure is the host's. */
  readonly says?: string | RegExp;
  readonly stderr?: string | RegExp;
  /** What it says instead where the launcher names this as missing. */
  readonly missing?: Readonly<Record<string, string | RegExp>>;
  readonly verdict?: Verdict;
  /** `any`: whether the program or its kill came first is chance; then the signal is not looked at either. */
  readonly exitCode?: number | null | 'any';
  readonly signal?: string | null;
  readonly exceeded?: LimitName;
  readonly limits?: Partial<AllLimits>;
  /** Further words of its command line. */
  readonly words?: readonly string[];
  readonly stdin?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly files?: readonly SandboxFile[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cpus?: string;
  /** It runs in a terminal; all it says is standard output. */
  readonly terminal?: TerminalSize;
  /** Everything is copied out of its workspace: what comes, with its state. */
  readonly collected?: Readonly<Record<string, CollectedState>>;
  /** Why the guest of test/guest can't show it. */
  readonly notInGuest?: KernelFault;
  /** What only the report shows. */
  readonly check?: (report: Report) => void;
}
