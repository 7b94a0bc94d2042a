/**
 * Owns one look at a rate: a mix's schedule offered to an instance for a while, and the latencies that it came to.
 * Never judges them. Invariant: rate, length and seed are one schedule, so that whoever models a probe can be asked exactly what the instance was asked.
 */
import { scheduleOf } from './arrivals.ts';
import type { ProbeResult } from './knee.ts';
import type { Mix } from './mix.ts';
import { type LoadGenerator, type LoadTarget, latencyQuantile, offerOptions } from './offer.ts';

/** One look at a rate, and what the generator did. */
export interface MeasuredProbe extends ProbeResult {
  readonly latenessP99Ms: number;
  readonly sentShare: number;
  readonly generatorCpuMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
}

/** What is measured where. */
export interface Measuring {
  readonly target: LoadTarget;
  readonly generator: Pick<LoadGenerator, 'offer'>;
  readonly signal: AbortSignal | null;
  readonly say: (line: string) => void;
}

/** How long a probe is. */
export interface ProbeLength {
  readonly samples: number;
  readonly msMin: number;
  readonly msMax: number;
}

export const probeLength: ProbeLength = { samples: 900, msMin: 12_000, msMax: 40_000 };
export const quickProbeLength: ProbeLength = { samples: 300, msMin: 4000, msMax: 12_000 };
const MAKE_EMPTY_MS = 300;

/** Of a probe at a rate; milliseconds. */
export function durationOf({ samples, msMin, msMax }: ProbeLength, ratePerSecond: number): number {
  return Math.min(msMax, Math.max(msMin, (samples * 1000) / ratePerSecond));
}

/** Offers a mix at a rate; null when it was cut short. */
export async function measureProbe(
  { target, generator, signal, say }: Measuring,
  mix: Mix,
  ratePerSecond: number,
  length: ProbeLength,
  seed: string,
): Promise<MeasuredProbe | null> {
  const durationMs = durationOf(length, ratePerSecond);
  const graceMs = Math.max(4000, 3 * mix.target.p99Ms);
  const options = { ...offerOptions, graceMs };
  const offer = await generator.offer(
    target,
    scheduleOf(mix, ratePerSecond, durationMs, seed),
    durationMs,
    options,
    signal,
  );
  if (offer.isCut) return null;
  await new Promise((resolve) => setTimeout(resolve, MAKE_EMPTY_MS));
  const { records, counts, achievedShare, latenessP99Ms, sentShare, generatorCpuMs } = offer;
  const at = (share: number) => latencyQuantile(records, share);
  const result = {
    ...{ ratePerSecond, p99Ms: at(0.99), p90Ms: at(0.9), p50Ms: at(0.5), achievedShare },
    ...{ refusedShare: counts.refused / records.length, samples: records.length },
    ...{ latenessP99Ms, sentShare, generatorCpuMs },
  };
  say(
    `  ${ratePerSecond.toFixed(1)}/s: p50 ${result.p50Ms.toFixed(0)} ms, p99 ${result.p99Ms.toFixed(0)} ms, served ${(100 * achievedShare).toFixed(1)} %, refused ${counts.refused}, failed ${counts.failed}, generator late by ${latenessP99Ms.toFixed(1)} ms at p99`,
  );
  return result;
}
