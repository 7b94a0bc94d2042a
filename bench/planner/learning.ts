/**
 * Owns learning what a mix's environments take on an instance: whether each works, its layers and limits, and of native requests, which take what
 * they take, processor time and waiting by running each a few times alone. Never offers load. Milliseconds.
 */
import type { Arrival } from './arrivals.ts';
import type { Mix } from './mix.ts';
import { MixError } from './mix.ts';
import { type LoadGenerator, offerOptions } from './offer.ts';
import type { KnownEnvironment } from './prediction.ts';
import { type Instance, toTemplates, tryEnvironments } from './requests.ts';

/** How often a native request is run, and how far apart. */
const RUNS = 24;
const APART_MS = 250;

/** What a mix's environments take, in its order, and the bodies by which they are asked for. */
export interface LearntMix {
  readonly templates: readonly string[];
  readonly known: readonly KnownEnvironment[];
}

/** See the head of this file; throws MixError when one of them does not work. */
export async function learnMix(
  instance: Instance,
  generator: LoadGenerator,
  mix: Mix,
  signal: AbortSignal | null,
): Promise<LearntMix> {
  const templates = await toTemplates(instance, mix);
  const tried = await tryEnvironments(instance, mix, templates);
  const known: KnownEnvironment[] = [];
  for (const [index, { layers, memoryBytes }] of tried.entries()) {
    const isNative = 'request' in (mix.environments[index] ?? {});
    const taken = isNative
      ? await runAlone(instance, generator, mix, templates, index, signal)
      : { cpuSamplesMs: [], waitMs: 0 };
    known.push({ ...taken, memoryBytes, layers });
  }
  return { templates, known };
}

async function runAlone(
  instance: Instance,
  generator: LoadGenerator,
  mix: Mix,
  templates: readonly string[],
  environment: number,
  signal: AbortSignal | null,
): Promise<Pick<KnownEnvironment, 'cpuSamplesMs' | 'waitMs'>> {
  const arrivals = Array.from(
    { length: RUNS },
    (_, run): Arrival => ({ atMs: run * APART_MS, environment, cpuTimeMs: null }),
  );
  const options = { ...offerOptions, graceMs: 120_000 };
  const { records } = await generator.offer({ ...instance, templates }, arrivals, RUNS * APART_MS, options, signal);
  const served = records.filter(({ outcome }) => outcome === 'served');
  if (served.length === 0 && signal?.aborted !== true) {
    const { detail = 'no reason' } = records.find((record) => record.detail !== undefined) ?? {};
    const name = mix.environments[environment]?.name ?? '';
    throw new MixError([
      `running environment '${name}' of mix '${mix.name}' ${RUNS} times served none (${detail}): correct its request`,
    ]);
  }
  const waits = served.map(({ wallTimeMs = 0, cpuTimeMs = 0 }) => Math.max(0, wallTimeMs - cpuTimeMs));
  return {
    cpuSamplesMs: served.map(({ cpuTimeMs = 0 }) => cpuTimeMs),
    waitMs: waits.reduce((sum, ms) => sum + ms, 0) / Math.max(1, waits.length),
  };
}
