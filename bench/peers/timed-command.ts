/**
 * Owns rivals that are one command line for each run: timed from C (bench/programs/bare-spawn.c), a resident timer for each program that is asked for.
 * Never has a shell or a runtime in the clock. Invariant: a failed run ends its timer, so that the next one begins with a new one.
 */
import { compiledProgram } from '../workloads/compiled-program.ts';
import type { Contender, Peer } from './peer.ts';
import { SpawnTimer } from './spawn-timer.ts';

/** What a command needs besides itself. */
export interface TimedCommandOptions {
  /** A command line that the timer is started below, once: what stands here is in no round. */
  readonly around?: readonly string[];
  /** Removes what the runs left. */
  readonly tidy?: () => void | Promise<void>;
}

/** One command line for each run. */
export class TimedCommand implements Contender {
  readonly #toCommand: (argv: readonly string[]) => readonly string[];
  readonly #around: readonly string[];
  readonly #tidy: () => void | Promise<void>;
  readonly #timers = new Map<string, SpawnTimer>();

  constructor(
    peer: Pick<Peer, 'libraries'>,
    toCommand: (argv: readonly string[]) => readonly string[],
    { around = [], tidy = () => {} }: TimedCommandOptions = {},
  ) {
    this.#toCommand = toCommand;
    this.#around = [...around, ...(peer.libraries === undefined ? [] : ['env', `LD_LIBRARY_PATH=${peer.libraries}`])];
    this.#tidy = tidy;
  }

  async round(argv: readonly string[]): Promise<number> {
    const key = argv.join('\0');
    const timer = this.#timers.get(key) ?? this.#startTimer(argv);
    this.#timers.set(key, timer);
    try {
      return await timer.round();
    } catch (error) {
      if (this.#timers.get(key) === timer) this.#timers.delete(key);
      throw error;
    }
  }

  async stop(): Promise<void> {
    const timers = [...this.#timers.values()];
    this.#timers.clear();
    await Promise.all(timers.map((timer) => timer.stop()));
    await this.#tidy();
  }

  #startTimer(argv: readonly string[]): SpawnTimer {
    const [program = '', ...parameters] = [
      ...this.#around,
      compiledProgram('programs/bare-spawn.c'),
      ...this.#toCommand(argv),
    ];
    return new SpawnTimer(program, ...parameters);
  }
}
