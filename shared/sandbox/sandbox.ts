/**
 * Owns the port to the sandbox: launch one program in a fresh sandbox, keep and release writable layers, keep the layer store.
 * Never knows the wire form (launcher-client) nor verdicts (agent/execution/judge).
 * Invariant: every launch ends with exactly one LaunchReport, after every process is dead; a lost launcher rejects it with SystemError
 * `launcher-unavailable`; when the listener or the source of stdin fails, the run is killed and the report rejects with that error.
 */
import type { AllLimits } from '../model/limits.ts';
import type { TerminalSignal } from '../model/terminal.ts';

/** Which kind of sandbox; see contract.def. */
export type Profile = 'execution' | 'build' | 'bootstrap' | 'host' | 'command';

/** A file that the launcher writes before the program starts. */
export interface SandboxFile {
  readonly path: string;
  readonly isExecutable: boolean;
  readonly content: Uint8Array;
}

/** Everything about one launch; absent things are empty or null, never missing. */
export interface LaunchSpec {
  readonly profile: Profile;
  /** Names in the layer store, lowest first. */
  readonly layers: readonly string[];
  /** Writable layers kept from earlier launches, lowest first. */
  readonly kept: readonly KeptLayer[];
  /** Keep this launch's writable layer: `Launch.kept` is then to be released by the caller. */
  readonly isKept: boolean;
  /** Profile host: name of a layer being made, writable at /target. */
  readonly target: string | null;
  /** Profile host: a kept layer, read-only at /target. */
  readonly capture: KeptLayer | null;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute; made when missing. */
  readonly directory: string;
  /** Relative to `directory`. */
  readonly files: readonly SandboxFile[];
  /** Plain names, found in /run/envicutor. */
  readonly systemFiles: readonly SandboxFile[];
  /** Bytes, a stream, or null for an empty standard input. */
  readonly stdin: Uint8Array | AsyncIterable<Uint8Array> | null;
  /** Configuration of the egress proxy, or null for no network. */
  readonly egress: Uint8Array | null;
  readonly limits: AllLimits;
  readonly cpuShares: number;
  /** cpuset list, or null. */
  readonly cpus: string | null;
  /**
   * A pseudo-terminal of its own as standard input, output and error, or null for pipes. All output comes as stdout, with the echo of
   * the input and as `outputBytes` counts it; the end of `stdin` is typed as the terminal's end-of-file key, once.
   */
  readonly terminal: TerminalSize | null;
  /** What is copied out of the workspace after the last process died, or null for nothing. */
  readonly collect: CollectSpec | null;
  /**
   * So many bytes of output come while the program runs, and no more before `Launch.taken` says that they were taken; the program is held
   * back meanwhile, its neighbours are not. Absent: whatever it writes comes.
   */
  readonly outputWindowBytes?: number;
}

/** A terminal's size in characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Which files are copied out: what this launch, its `files` and the launches of its `kept` layers left below `directory`, merged as the
 * program saw it; never what comes from `layers`. Regular files only, no link is ever followed; no particular order.
 */
export interface CollectSpec {
  /**
   * At most 64 patterns of paths relative to `directory`, for example `result.txt`, `out/*.png`, `**`. As in a shell `*`, `?` and
   * `[a-z]` match within one name and no leading dot; a part that is `**` is any number of directories, none included.
   */
  readonly patterns: readonly string[];
  /** All files together; a file that does not fit any more is named without its bytes. */
  readonly bytesMax: number;
  /** Files that are named, whatever their state. */
  readonly filesMax: number;
}

/**
 * Why a file's bytes came, or did not. `not-regular`: a link, pipe, socket or device. `too-many` has no path and comes last: beyond
 * `filesMax`, or the tree is too large to walk (a million names, 256 levels, five seconds), so that something may be missing.
 */
export type CollectedState = 'copied' | 'not-regular' | 'too-large' | 'too-many' | 'unreadable';

/** One file that matched; its bytes follow by `collectedData`. */
export interface CollectedFile {
  /** Relative to `directory`; what is no UTF-8 of its name is replaced, see `pathBytes`. */
  readonly path: string;
  /** The path as it is on disk. */
  readonly pathBytes: Uint8Array;
  readonly state: CollectedState;
  readonly isExecutable: boolean;
  /** The file's size; all of its bytes follow when it is `copied`. */
  readonly bytes: number;
}

/** A writable layer that the launcher keeps; good on the connection that made it. */
export interface KeptLayer {
  readonly launch: bigint;
}

/** How a launch ended; see contract.def. */
export type LaunchEnd = 'exited' | 'signaled' | 'start-failed' | 'setup-failed' | 'client';

/** The limit for which the launcher ended a run. */
export type ExceededLimit =
  | 'cpuTimeMs'
  | 'wallTimeMs'
  | 'idleTimeMs'
  | 'memoryBytes'
  | 'outputBytes'
  | 'fileSizeBytes'
  | 'diskBytes';

/** The launcher's report; durations in milliseconds with fractions. */
export interface LaunchReport {
  readonly end: LaunchEnd;
  readonly exitCode: number | null;
  readonly signal: number | null;
  /** Name of the launcher's step and the errno's name, for start-failed and setup-failed. */
  readonly failure: { readonly step: string; readonly errno: string } | null;
  readonly exceeded: { readonly limit: ExceededLimit; readonly allowed: number; readonly observed: number } | null;
  readonly diskFull: 'bytes' | 'inodes' | null;
  readonly stdoutTruncated: boolean;
  readonly stderrTruncated: boolean;
  readonly cpuTimeMs: number;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  readonly wallTimeMs: number;
  readonly memoryPeakBytes: number;
  readonly processesPeak: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly stdinBytes: number;
  readonly diskBytes: number;
  readonly diskInodes: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  readonly throttledMs: number;
  readonly oomKills: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number;
  readonly takeMs: number;
  readonly mountMs: number;
  readonly execMs: number;
  readonly collectMs: number;
}

/**
 * What a caller listens to while a program runs; chunks are only valid during the call unless copied. A promise holds back further output
 * (of all launches on this connection) until it settles; the report may come before it does.
 */
export interface LaunchListener {
  started?(startedAtMs: number): void;
  stdout?(chunk: Uint8Array): void | Promise<void>;
  stderr?(chunk: Uint8Array): void | Promise<void>;
  /** Lines of the egress proxy. */
  network?(chunk: Uint8Array): void | Promise<void>;
  /** A file that `collect` asked for; then its bytes in order. The report comes after all of it, and after its promises. */
  collected?(file: CollectedFile): void | Promise<void>;
  collectedData?(chunk: Uint8Array): void | Promise<void>;
}

/** A running launch. */
export interface Launch {
  readonly report: Promise<LaunchReport>;
  /** The writable layer, when the spec asked to keep it. */
  readonly kept: KeptLayer;
  /** Ends the run; the report then says `client`. Idempotent. */
  kill(): void;
  /** Tells the program's terminal its new size, 1 to 65535 each way; nothing happens without one, or outside. */
  resize(size: TerminalSize): void;
  /** Sends a signal to the foreground processes of the program's terminal; nothing happens without one, or before the program started. */
  signal(name: TerminalSignal): void;
  /** So much of the output was taken: as much again may come. Only with `outputWindowBytes`. */
  taken(bytes: number): void;
}

/** What the launcher says about its machine. */
export interface SandboxFacts {
  readonly cgroup: 'v1' | 'v2' | 'none';
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly release: string;
  /** An ordinary user's launcher: everything happens in a user namespace of its own. */
  readonly isRootless: boolean;
  /** Names of what this host or user can't have; see launcher-facts.ts for sentences and remedies. */
  readonly missing: readonly string[];
}

/** Gauges of the launcher, for metrics. */
export interface SandboxGauges {
  readonly stock: number;
  readonly running: number;
  readonly kept: number;
  readonly launches: number;
  readonly stockMisses: number;
  readonly residentBytes: number;
  /** How many shells the stock is being filled up to. */
  readonly stockWanted: number;
  /** Cgroups and file trees that wait to be removed. */
  readonly sweeping: number;
}

/** Fresh sandboxes on this machine. */
export interface Sandbox {
  readonly facts: SandboxFacts;
  launch(spec: LaunchSpec, listener?: LaunchListener): Launch;
  release(kept: KeptLayer): void;
  gauges(): Promise<SandboxGauges>;
  readonly store: LayerStore;
  close(): Promise<void>;
}

/** The layers of the launcher; every method rejects with SystemError `sandbox-failed` naming step and errno. */
export interface LayerStore {
  /** Makes an empty layer that only `target` can reach. */
  create(layer: string): Promise<void>;
  /** Makes it final under its new name; false when that name is there already. */
  commit(layer: string, to: string): Promise<boolean>;
  /**
   * The same for a layer that consists of the files `tar` and `index` (shared/layers/image): `exists` when the name is there already,
   * `not-mountable` when this kernel or user can't mount it, so that it is not made.
   */
  commitImage(layer: string, to: string): Promise<'made' | 'exists' | 'not-mountable'>;
  remove(layer: string): Promise<void>;
  list(): Promise<readonly string[]>;
}
