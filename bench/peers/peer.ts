/**
 * Owns what a rival is: found or fetched by its installer (peers/<name>.sh), described as it was asked (version, settings, where it came from), then asked
 * round by round. Never assumes one: it is present only after it has run a program here, else absent with a sentence.
 * Invariant: a round that fails rejects with one sentence that names the rival and what happened, and one that is gone is not asked again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { digestHex, digestOf } from '../../shared/digest.ts';
import type { AbsentRival } from '../recording/recording.ts';

/** The variables that installers see. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** A rival of this machine. */
export interface Peer {
  readonly name: string;
  /** As it says it itself. */
  readonly version: string;
  /** How it is asked, as command lines and sentences; a word in capitals stands for what differs from run to run. */
  readonly settings: readonly string[];
  /** 'debian package X 1.0', 'go module X@v1.0', or 'path' for one that was here. */
  readonly source: string;
  readonly path: string;
  /** Folders of libraries that it needs besides this machine's, as in LD_LIBRARY_PATH. */
  readonly libraries?: string;
}

/** Is it here? */
export type Presence = { readonly present: Peer } | { readonly absent: AbsentRival };

/** One that is started. */
export interface Contender {
  /** Milliseconds that one run of `argv` took; rejects when the run failed. */
  round(argv: readonly string[]): Promise<number>;
  /** Ends it and removes what it left on this machine; may be called at any time. */
  stop(): Promise<void>;
  /** What ended it, when nothing can be asked of it any more. */
  gone?(): string | null;
}

/** How one rival is had and asked. */
export interface Rival {
  readonly name: string;
  /** Finds it, or has its installer fetch it. Without `variables`, with those of this process. */
  find(variables?: Variables): Presence;
  start(peer: Peer): Promise<Contender>;
}

/** A rival that failed. */
export class PeerFailure extends Error {
  readonly peer: string;

  constructor(peer: string, what: string) {
    super(`${peer}: ${what}`);
    this.peer = peer;
  }
}

/** A rival that has proven that it runs here, or why there is none. */
export type Admission = { readonly present: Peer; readonly contender: Contender } | { readonly absent: AbsentRival };

const PROOF = ['/bin/true'] as const;
const ROUND_MS_MAX = 60_000;

/** Finds, starts and tries it: one round of a `true`, which no figure is taken from. */
export async function admit(rival: Rival, variables?: Variables): Promise<Admission> {
  const found = rival.find(variables);
  if ('absent' in found) return found;
  let contender: Contender | null = null;
  try {
    contender = await rival.start(found.present);
    await new WatchedContender(rival.name, contender).round(PROOF);
    return { present: found.present, contender: new WatchedContender(rival.name, contender) };
  } catch (error) {
    await contender?.stop();
    return { absent: { name: rival.name, why: `is here, but does not run: ${toReason(rival.name, error)}` } };
  }
}

/** Counts rounds, bounds each, and tells a failure in one sentence. */
export class WatchedContender implements Contender {
  readonly #name: string;
  readonly #contender: Contender;
  readonly #roundMsMax: number;
  #rounds = 0;
  #end: string | null = null;

  constructor(name: string, contender: Contender, roundMsMax: number = ROUND_MS_MAX) {
    this.#name = name;
    this.#contender = contender;
    this.#roundMsMax = roundMsMax;
  }

  async round(argv: readonly string[]): Promise<number> {
    if (this.#end !== null) throw new PeerFailure(this.#name, `not asked any more, since ${this.#end}`);
    this.#rounds++;
    const limit = new AbortController();
    const late = pause(this.#roundMsMax, null, limit).then(() => {
      this.#end = `it gave no answer in round ${this.#rounds}`;
      throw new Error(`no answer within ${this.#roundMsMax / 1000} s`);
    });
    try {
      return await Promise.race([this.#contender.round(argv), late]);
    } catch (error) {
      if (this.gone() !== null) this.#end ??= `it ended in round ${this.#rounds}`;
      throw new PeerFailure(this.#name, `round ${this.#rounds} failed: ${toReason(this.#name, error)}`);
    } finally {
      late.catch(() => {});
      limit.abort();
    }
  }

  gone(): string | null {
    return this.#end ?? this.#contender.gone?.() ?? null;
  }

  stop(): Promise<void> {
    return this.#contender.stop();
  }
}

/** An error as a part of a sentence, without the rival's name before it. */
function toReason(name: string, error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  const line = words.trim().replaceAll(/\s*\n\s*/g, '; ');
  return line.startsWith(`${name}: `) ? line.slice(name.length + 2) : line;
}

/** A program that an installer has named. */
export type Located = Pick<Peer, 'path' | 'source' | 'libraries'> | { readonly why: string };

/** Rivals that a registry refused are not asked for again by the same process. */
const located = new Map<string, Located>();

/** Has the rival's installer find or fetch its program. */
export function locate(name: string, variables: Variables = process.env): Located {
  const key = [name, variables['PATH'], variables['HOME'], variables['XDG_CACHE_HOME']].join('\0');
  const known = located.get(key) ?? askInstaller(name, variables);
  located.set(key, known);
  return known;
}

function askInstaller(name: string, variables: Variables): Located {
  const installer = join(import.meta.dirname, `${name}.sh`);
  const { status, stdout, stderr, error } = spawnSync(installer, { encoding: 'utf8', env: { ...variables } });
  if (status !== 0) return { why: toReason(name, error ?? stderr.trim().split('\n').at(-1) ?? 'its installer failed') };
  const printed = stdout.trim();
  const kept = join(
    variables['XDG_CACHE_HOME'] ?? join(variables['HOME'] ?? homedir(), '.cache'),
    'envicutor/peers',
    name,
  );
  const [origin, libraries] = [join(kept, 'SOURCE'), join(kept, 'LIBRARIES')];
  if (!printed.startsWith(`${kept}/`) || !existsSync(origin)) return { path: printed, source: 'path' };
  return {
    path: printed.replace(/\.with-libraries$/, ''),
    source: readFileSync(origin, 'utf8').trim().replaceAll('\n', ', '),
    ...(existsSync(libraries) ? { libraries: readFileSync(libraries, 'utf8').trim() } : {}),
  };
}

/** The rival with its settings, or why there is none; `describe` gets the located program. */
export function presenceOf(
  name: string,
  variables: Variables | undefined,
  describe: (program: Exclude<Located, { why: string }>) => Pick<Peer, 'version' | 'settings'>,
): Presence {
  const program = locate(name, variables);
  return 'why' in program
    ? { absent: { name, why: program.why } }
    : { present: { name, ...program, ...describe(program) } };
}

/** The first line that a program prints when it is asked for its version, else what its package is called or what it consists of. */
export function versionOf(program: Exclude<Located, { why: string }>, ...parameters: readonly string[]): string {
  const env = program.libraries === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: program.libraries };
  const { status, stdout } = spawnSync(program.path, parameters, { encoding: 'utf8', env, timeout: 10_000 });
  const [line = ''] = status === 0 ? stdout.trim().split('\n') : [];
  if (/\d/.test(line)) return line;
  if (program.source !== 'path') return program.source;
  return `${line || 'unknown'}, sha256 ${digestHex(digestOf(readFileSync(program.path))).slice(0, 12)}`;
}
