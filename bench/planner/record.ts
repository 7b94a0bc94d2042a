/**
 * Owns `bench record`: a mix made of what a running coordinator counts. Reads its metrics every so often: shares and processor times by environment,
 * and how arrivals rise and fall. Never reads code, output or names of tenants: the metrics have none.
 * Invariant: a recording that was interrupted is written with what it has, and says so.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { ExitCode } from '../exit-code.ts';
import { difference, histogramsBy, parseMetrics, type Sample, total, toValues } from '../gauges/prometheus-text.ts';
import { type Mix, type MixEnvironment, MixError, parseMix } from './mix.ts';

const usage = `bench record --url URL [--key KEY] [--for 60s] [--p99-ms 1000] [--output mix.json]
  reads the metrics of a running coordinator for so long (ms, s, m or h) and writes a mix for bench plan`;

/** One reading. */
export interface Reading {
  readonly atMs: number;
  readonly samples: readonly Sample[];
}

const CPU_TIME = 'envicutor_execution_cpu_seconds';
const VALUES = 200;
const READINGS = 24;
const READ_EVERY_MS_MIN = 1000;
/** A piece of the curve with fewer arrivals is noise: neighbours are taken together. */
const ARRIVALS_MIN = 30;
const SHARE_MIN = 0.002;

/** Milliseconds of a text such as 90s; null when it is none. */
export function toMs(text: string): number | null {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit];
  return factor === undefined ? null : Number(number) * factor;
}

/** What has arrived by a reading: what is over, refused, waits or runs. */
function arrivedBy({ samples }: Reading): number {
  const names = [
    'envicutor_executions_total',
    'envicutor_executions_refused_total',
    'envicutor_queue_depth',
    'envicutor_leases',
  ];
  return names.reduce((sum, name) => sum + total(samples, name), 0);
}

/** Pieces of time with their arrivals, each with enough of them. */
function piecesOf(readings: readonly Reading[]): { readonly forMs: number; readonly arrived: number }[] {
  const pieces: { forMs: number; arrived: number }[] = [];
  for (let index = 1; index < readings.length; index += 1) {
    const [before, after] = [readings[index - 1], readings[index]];
    if (before === undefined || after === undefined) continue;
    const piece = { forMs: after.atMs - before.atMs, arrived: Math.max(0, arrivedBy(after) - arrivedBy(before)) };
    const last = pieces.at(-1);
    if (last !== undefined && last.arrived < ARRIVALS_MIN) {
      last.forMs += piece.forMs;
      last.arrived += piece.arrived;
    } else pieces.push(piece);
  }
  const [last, before] = [pieces.at(-1), pieces.at(-2)];
  if (last !== undefined && before !== undefined && last.arrived < ARRIVALS_MIN) {
    before.forMs += last.forMs;
    before.arrived += last.arrived;
    pieces.pop();
  }
  return pieces;
}

function environmentsOf(first: Reading, last: Reading): MixEnvironment[] {
  const before = histogramsBy(first.samples, CPU_TIME, 'environment');
  const counted = [...histogramsBy(last.samples, CPU_TIME, 'environment')].flatMap(([name, after]) => {
    const seen = difference(before.get(name), after);
    return seen === null || (seen.counts.at(-1) ?? 0) === 0 ? [] : [{ name, seen, count: seen.counts.at(-1) ?? 0 }];
  });
  const all = counted.reduce((sum, { count }) => sum + count, 0);
  const kept = counted.filter(({ count }) => count / all >= SHARE_MIN);
  const keptCount = kept.reduce((sum, { count }) => sum + count, 0);
  return kept.map(({ name, seen, count }) => ({
    ...{ name, share: count / keptCount },
    // What is one tenant's alone can't be named here: its programs are offered in the default base instead.
    ...(name.startsWith('env_') ? { environment: name } : {}),
    program: {
      cpuTimeMs: {
        kind: 'empirical',
        samplesMs: toValues(seen, VALUES).map((seconds) => Math.round(seconds * 1e6) / 1000),
      },
    },
  }));
}

/** The mix of a recording; throws MixError when nothing was seen. */
export function toRecordedMix(readings: readonly Reading[], p99Ms: number, from: string): Mix {
  const [first, last] = [readings[0], readings.at(-1)];
  const seconds = first === undefined || last === undefined ? 0 : (last.atMs - first.atMs) / 1000;
  const environments = first === undefined || last === undefined ? [] : environmentsOf(first, last);
  if (environments.length === 0)
    throw new MixError([
      `recording ${from} for ${seconds.toFixed(0)} s saw 0 executions end: record for longer, or while it is used`,
    ]);
  const pieces = piecesOf(readings).map(({ forMs, arrived }) => ({ forMs, perMinute: (arrived * 60_000) / forMs }));
  const peak = Math.max(1e-6, ...pieces.map(({ perMinute }) => perMinute));
  const arrivals = pieces.map(({ forMs, perMinute }) => ({
    forMs: Math.max(1, Math.round(forMs)),
    shareOfPeak: perMinute / peak,
  }));
  const curve = arrivals.length > 1 ? { arrivals } : {};
  return parseMix(
    { name: `recorded from ${from}`.slice(0, 64), environments, ...curve, target: { p99Ms }, ratePerMinute: peak },
    'the recording',
  );
}

async function readMetrics(url: string, key: string | null): Promise<Reading> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
  const answer = await request(`${url}/metrics`, { headers }).catch((error: unknown) => {
    throw new Error(
      `reading ${url}/metrics failed (${(error as { code?: string }).code ?? String(error)}): see that the coordinator runs there`,
    );
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200)
    throw new Error(
      `reading ${url}/metrics gave ${answer.statusCode}: see that it is a coordinator, and that the key may read it`,
    );
  return { atMs: performance.now(), samples: parseMetrics(text) };
}

async function record(url: string, key: string | null, forMs: number, signal: AbortSignal): Promise<Reading[]> {
  const everyMs = Math.max(Math.min(READ_EVERY_MS_MIN, forMs), forMs / READINGS);
  const readings = [await readMetrics(url, key)];
  const startMs = readings[0]?.atMs ?? 0;
  while (performance.now() - startMs < forMs - 1 && !signal.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, Math.min(everyMs, forMs - (performance.now() - startMs)));
      function done() {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });
    readings.push(await readMetrics(url, key));
  }
  return readings;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

/** `bench record`; resolves to its exit code. */
export async function recordCommand(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const asked = readArguments(argv);
  if (typeof asked === 'string') {
    say(`${asked}\n${usage}`);
    return ExitCode.usage;
  }
  try {
    const readings = await record(asked.url, asked.key, asked.forMs, signal);
    const isComplete = !signal.aborted;
    const mix = toRecordedMix(readings, asked.p99Ms, asked.url);
    writeFileSync(asked.output, `${JSON.stringify(mix, null, 2)}\n`);
    const seconds = ((readings.at(-1)?.atMs ?? 0) - (readings[0]?.atMs ?? 0)) / 1000;
    say(
      `${asked.output}: ${mix.environments.length} environments, ${(mix.ratePerMinute ?? 0).toFixed(0)} submissions a minute at the peak, seen for ${seconds.toFixed(0)} s`,
    );
    if (!isComplete)
      say(
        `recording ${asked.url} was interrupted after ${seconds.toFixed(0)} s: the mix is of that time; record again for all of it`,
      );
    return isComplete ? ExitCode.fine : ExitCode.interrupted;
  } catch (error) {
    say((error as Error).message);
    return error instanceof MixError ? ExitCode.usage : ExitCode.unavailable;
  }
}

function readArguments(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = {
    ...{ url: text, key: text, for: { ...text, default: '60s' }, 'p99-ms': { ...text, default: '1000' } },
    output: { ...text, default: 'mix.json' },
  };
  let values: { url?: string; key?: string; for?: string; 'p99-ms'?: string; output?: string };
  try {
    ({ values } = parseArgs({ args: [...argv], options }));
  } catch (error) {
    return `reading the arguments of record: ${(error as Error).message}`;
  }
  const forMs = toMs(values.for ?? '');
  const p99Ms = Number(values['p99-ms']);
  if (values.url === undefined || !URL.canParse(values.url))
    return `reading --url '${values.url ?? ''}': give the URL of a coordinator, such as http://127.0.0.1:7070`;
  if (forMs === null || forMs <= 0) return `reading --for '${values.for}': give a time such as 60s, 10m or 24h`;
  if (!(p99Ms > 0)) return `reading --p99-ms '${values['p99-ms']}': give milliseconds above 0`;
  return {
    url: values.url.replace(/\/$/, ''),
    key: values.key ?? null,
    forMs,
    p99Ms,
    output: values.output ?? 'mix.json',
  };
}
