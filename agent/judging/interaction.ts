/**
 * Owns a solution and an interactor that talk: what the one writes the other reads, until both have ended; and what that comes to.
 * Never bounds what waits between them: each one's `outputBytes` does, so that neither they nor their neighbours are ever held back.
 * Invariant: the end of one of them is the end of the other's input.
 */
import type { Report } from '../../shared/model/verdict.ts';
import type { ScriptEnd, ScriptRun } from '../execution/script-runs.ts';
import { type CheckVerdict, toCheckVerdict, toMessage } from './check-verdict.ts';

/** Bytes from one program to another. */
export class Pipe implements AsyncIterable<Uint8Array> {
  readonly #chunks: Buffer[] = [];
  #isEnded = false;
  #wake: (() => void) | null = null;

  /** Takes a copy. */
  write(chunk: Uint8Array): void {
    if (this.#isEnded) return;
    this.#chunks.push(Buffer.from(chunk));
    this.#resume();
  }

  /** Nothing more comes; what is here can still be read. */
  end(): void {
    this.#isEnded = true;
    this.#resume();
  }

  #resume(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#isEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/** Who said something last. */
export type Speaker = 'solution' | 'interactor' | null;

/** Both ends of a conversation. */
export interface InteractionEnd {
  readonly solution: ScriptEnd;
  readonly interactor: ScriptEnd;
  readonly lastToSpeak: Speaker;
}

/** Begins one of the two with its input and what it says. */
export type BeginTalker = (stdin: Pipe, say: (chunk: Uint8Array) => void) => ScriptRun;

/** Lets both talk until both have ended; null when the lease was cancelled. */
export async function interact(
  beginSolution: BeginTalker,
  beginInteractor: BeginTalker,
): Promise<InteractionEnd | null> {
  const toSolution = new Pipe();
  const toInteractor = new Pipe();
  let lastToSpeak: Speaker = null;
  const interactor = beginInteractor(toInteractor, (chunk) => {
    lastToSpeak = 'interactor';
    toSolution.write(chunk);
  });
  let solution: ScriptRun;
  try {
    solution = beginSolution(toSolution, (chunk) => {
      lastToSpeak = 'solution';
      toInteractor.write(chunk);
    });
  } catch (error) {
    interactor.ended.catch(() => undefined);
    throw error;
  }
  const ended = await Promise.all([
    solution.ended.finally(() => toInteractor.end()),
    interactor.ended.finally(() => toSolution.end()),
  ]);
  const [ofSolution, ofInteractor] = ended;
  return ofSolution === null || ofInteractor === null
    ? null
    : { solution: ofSolution, interactor: ofInteractor, lastToSpeak };
}

/** What a conversation comes to: of whoever ended first by a fault of its own it is the fault; else it is what the interactor says. */
export function toInteractionVerdict(
  { solution, interactor, lastToSpeak }: InteractionEnd,
  reports: { readonly solution: Report; readonly interactor: Report },
): { readonly outcome: CheckVerdict['outcome'] | Report['verdict']; readonly check: CheckVerdict['check'] } {
  const said = toCheckVerdict(reports.interactor);
  const isSolutionFirst = solution.launch.endedAtMs <= interactor.launch.endedAtMs;
  const { verdict } = reports.solution;
  const idle = [reports.solution, reports.interactor].some((report) => report.verdict === 'idle-time-exceeded');
  if (idle && (verdict === 'idle-time-exceeded' || !isSolutionFirst)) {
    const message = toMessage(`${sentenceOf(lastToSpeak)} ${said.check.message}`);
    return { outcome: 'idle-time-exceeded', check: { ...said.check, message, score: 0 } };
  }
  const isFaultFirst = isSolutionFirst && verdict !== 'ok';
  if (isFaultFirst || (said.outcome === 'accepted' && verdict !== 'ok')) {
    return { outcome: verdict, check: { ...said.check, score: 0 } };
  }
  return said;
}

function sentenceOf(lastToSpeak: Speaker): string {
  if (lastToSpeak === 'interactor') return 'The interactor spoke last, and waited for the solution.';
  if (lastToSpeak === 'solution') return 'The solution spoke last, and waited for the interactor.';
  return 'Neither of them said anything.';
}
