/**
 * Owns offering a schedule to an instance and saying what came of it: what was achieved against what was meant, latencies from the intended
 * moments (so that a stall of the system is in the latency of everything that it made wait), and how late the generator itself was.
 * Never judges a latency. Invariant: a submission that was refused, failed or never answered is counted, never left out of the counts.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { percentile } from '../statistics/quantiles.ts';
import type { Arrival } from './arrivals.ts';
import type { GeneratorAnswer, GeneratorOrder, OfferRecord } from './generator/orders.ts';

/** Where load goes. */
export interface LoadTarget {
  readonly url: string;
  /** API key; null: the instance wants none. */
  readonly key: string | null;
  /** Bodies, by the mix's environments. */
  readonly templates: readonly string[];
}

/** Bounds of one offer. */
export interface OfferOptions {
  readonly inFlightMax: number;
  readonly graceMs: number;
}

/** What came of one offer; rates a second. */
export interface Offer {
  readonly records: readonly OfferRecord[];
  readonly counts: Readonly<Record<OfferRecord['outcome'], number>>;
  readonly offeredPerSecond: number;
  /** What was served of it within the time that it was offered in, and the grace of one target. */
  readonly achievedShare: number;
  /** Of the sent ones: how late the generator was. */
  readonly latenessP99Ms: number;
  /** What the generator sent of what it was told to. */
  readonly sentShare: number;
  /** The generator's own processor time for each submission. */
  readonly generatorCpuMs: number;
  readonly durationMs: number;
  readonly isCut: boolean;
}

export const offerOptions: OfferOptions = { inFlightMax: 1500, graceMs: 15_000 };

/** Latencies of what was served, from the intended moments. */
export function latenciesOf(records: readonly OfferRecord[]): number[] {
  return records.flatMap(({ outcome, doneMs, intendedMs }) =>
    outcome === 'served' && doneMs !== null ? [doneMs - intendedMs] : [],
  );
}

/**
 * The latency below which this share of all that arrived was served; infinite when so much was not. Refusals are no latency: they are counted
 * beside it, and whoever judges an offer wants them to be few.
 */
export function latencyQuantile(records: readonly OfferRecord[], share: number): number {
  const latencies = records.flatMap(({ outcome, doneMs, intendedMs }) => {
    if (outcome === 'refused') return [];
    return [outcome === 'served' && doneMs !== null ? doneMs - intendedMs : Number.POSITIVE_INFINITY];
  });
  return percentile(latencies, share);
}

/** What records come to. */
export function toOffer(answer: GeneratorAnswer, durationMs: number): Offer {
  const { records, cpuMs, isCut } = answer;
  const counts = { served: 0, refused: 0, failed: 0, unsent: 0, unanswered: 0 };
  for (const { outcome } of records) counts[outcome] += 1;
  const sent = records.filter(({ sentMs }) => sentMs !== null);
  const lateness = sent.map(({ sentMs, intendedMs }) => (sentMs ?? 0) - intendedMs);
  return {
    ...{ records, counts, durationMs, isCut },
    offeredPerSecond: (records.length * 1000) / durationMs,
    achievedShare: counts.served / records.length,
    latenessP99Ms: percentile(lateness, 0.99),
    sentShare: sent.length / records.length,
    generatorCpuMs: cpuMs / Math.max(1, sent.length),
  };
}

/** The generator's process; one offer at a time. */
export class LoadGenerator {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<LoadGenerator> {
    const child = fork(join(import.meta.dirname, 'generator/main.ts'), [], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    await once(child, 'spawn');
    return new LoadGenerator(child);
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  /** Offers the schedule; cut short when the signal says so, with what came back until then. */
  async offer(
    target: LoadTarget,
    arrivals: readonly Arrival[],
    durationMs: number,
    options: OfferOptions = offerOptions,
    signal: AbortSignal | null = null,
  ): Promise<Offer> {
    const authorization: Record<string, string> = target.key === null ? {} : { authorization: `Bearer ${target.key}` };
    const order: GeneratorOrder = {
      ...{ url: target.url, templates: target.templates, arrivals, ...options },
      headers: { 'content-type': 'application/json', ...authorization },
    };
    const stop = () => this.#child.send('stop');
    const answering = new AbortController();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const { signal: over } = answering;
      const answered = once(this.#child, 'message', { signal: over }) as Promise<[GeneratorAnswer]>;
      const ended = once(this.#child, 'exit', { signal: over }).then(([code]) => {
        throw new Error(`the generator of load ended with ${code} while it offered ${arrivals.length} submissions`);
      });
      ended.catch(() => undefined);
      this.#child.send(order);
      if (signal?.aborted === true) stop();
      const [answer] = await Promise.race([answered, ended]);
      return toOffer(answer, durationMs);
    } finally {
      answering.abort();
      signal?.removeEventListener('abort', stop);
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}
