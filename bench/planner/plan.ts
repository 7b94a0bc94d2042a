/**
 * Owns `bench plan`: a mix is read, an instance calibrated (or a calibration read), the model fitted, and the plan told and written.
 * Never leaves an instance running that it started. Invariants: every refusal is one sentence with what was attempted, the value and the remedy;
 * what is known at Ctrl-C is written, marked `"isComplete": false`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import { ExitCode } from '../exit-code.ts';
import { type Calibration, type CalibrationOptions, calibrate } from './calibrate.ts';
import { type CostModel, fitCosts } from './cost-model.ts';
import { learnMix } from './learning.ts';
import { type Mix, MixError, readMix } from './mix.ts';
import { LoadGenerator } from './offer.ts';
import { quickSteadyProbeLength, steadyProbeLength } from './one-agent.ts';
import { toPlanText } from './plan-report.ts';
import { makePlan, type Plan } from './planning.ts';
import {
  errorOf,
  type KnownEnvironment,
  type PlannedMachine,
  type PredictedKnee,
  predictKnee,
  toModel,
} from './prediction.ts';
import { probeLength, quickProbeLength } from './probe.ts';
import type { Instance } from './requests.ts';
import { toValidationText, type ValidatedMix, validatePlanner } from './validate.ts';

const usage = `bench plan mix.json [--rate SUBMISSIONS_A_MINUTE] [--p99-ms X] [--url URL [--key KEY] | --offline calibration.json]
    [--cores N] [--slots N] [--memory-gib N] [--layers-gib N] [--quick] [--validate] [--save calibration.json] [--output plan.json]
  without --url or --offline it starts an instance of its own; --validate measures the mix's knee afterwards`;

/** What a calibration file holds: the calibration, and what mixes turned out to need. */
interface Kept {
  readonly calibration: Calibration;
  readonly learnt: Readonly<Record<string, readonly KnownEnvironment[]>>;
}

interface Asked {
  readonly mix: Mix;
  readonly ratePerMinute: number;
  readonly url: string | null;
  readonly key: string | null;
  readonly offline: string | null;
  readonly machine: Partial<PlannedMachine>;
  readonly isQuick: boolean;
  readonly isValidated: boolean;
  readonly save: string | null;
  readonly output: string | null;
}

/** As agents have it when nobody sets anything. */
const LAYER_BYTES_MAX = 21_474_836_480;
/** Of a machine's memory, as agents offer it. */
const MEMORY_SHARE = 0.9;
const full = { rounds: 2, burstMs: 5000, openMs: 8000 };
const quick = { rounds: 1, burstMs: 2000, openMs: 3000 };

const say = (line: string) => process.stderr.write(`${line}\n`);

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const options = {
  ...{ rate: text, 'p99-ms': text, url: text, key: text, offline: text, cores: text, slots: text },
  ...{ 'memory-gib': text, 'layers-gib': text, save: text, output: text, quick: flag, validate: flag },
} as const;

function toNumber(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new MixError([`reading --${name} '${text}': give a number above 0`]);
  return value;
}

function readArguments(argv: readonly string[]): Asked {
  let parsed: ReturnType<typeof parse>;
  const parse = () => parseArgs({ args: [...argv], options, allowPositionals: true });
  try {
    parsed = parse();
  } catch (error) {
    throw new MixError([`reading the arguments of plan: ${(error as Error).message}\n${usage}`]);
  }
  const { values, positionals } = parsed;
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0)
    throw new MixError([`planning wants one mix, and ${positionals.length} were given: name a JSON file\n${usage}`]);
  if (values.url !== undefined && !URL.canParse(values.url))
    throw new MixError([`reading --url '${values.url}': give one such as http://127.0.0.1:7070`]);
  if (values.url !== undefined && values.offline !== undefined)
    throw new MixError([`--url ${values.url} and --offline ${values.offline} were both given: give one of them`]);
  const mix = readMix(path);
  const p99Ms = toNumber('p99-ms', values['p99-ms']) ?? mix.target.p99Ms;
  const ratePerMinute = toNumber('rate', values.rate) ?? mix.ratePerMinute ?? null;
  if (ratePerMinute === null)
    throw new MixError([
      `planning '${mix.name}' wants a rate, and neither the mix has ratePerMinute nor was --rate given: give --rate, in submissions a minute`,
    ]);
  return {
    ...{ mix: { ...mix, target: { p99Ms } }, ratePerMinute, key: values.key ?? null, offline: values.offline ?? null },
    ...{ url: values.url?.replace(/\/$/, '') ?? null, isQuick: values.quick, isValidated: values.validate },
    ...{ save: values.save ?? null, output: values.output ?? null, machine: toMachine(values) },
  };
}

function toMachine(values: {
  cores?: string;
  slots?: string;
  'memory-gib'?: string;
  'layers-gib'?: string;
}): Partial<PlannedMachine> {
  const cores = toNumber('cores', values.cores);
  const slots = toNumber('slots', values.slots) ?? cores;
  const memory = toNumber('memory-gib', values['memory-gib']);
  const layers = toNumber('layers-gib', values['layers-gib']);
  return {
    ...(cores === null ? {} : { cores }),
    ...(slots === null ? {} : { slots }),
    ...(memory === null ? {} : { memoryBytes: memory * 2 ** 30 * MEMORY_SHARE }),
    ...(layers === null ? {} : { layerBytesMax: layers * 2 ** 30 }),
  };
}

function readKept(path: string, mix: Mix): { calibration: Calibration; known: readonly KnownEnvironment[] } {
  let kept: Kept;
  try {
    kept = JSON.parse(readFileSync(path, 'utf8')) as Kept;
  } catch (error) {
    throw new MixError([
      `reading the calibration '${path}' failed (${(error as Error).message}): make one by bench plan --save ${path}`,
    ]);
  }
  if (kept.calibration?.format !== 1)
    throw new MixError([
      `reading ${path}: its format is ${kept.calibration?.format ?? 'none'} and 1 is read here: make it again by --save`,
    ]);
  const known =
    kept.learnt[mix.name] ?? mix.environments.map(() => ({ cpuSamplesMs: [], waitMs: 0, memoryBytes: 0, layers: [] }));
  const native = mix.environments.find((environment) => 'request' in environment);
  if (native !== undefined && kept.learnt[mix.name] === undefined)
    throw new MixError([
      `planning '${mix.name}' from ${path}: what the request of '${native.name}' takes is not in it: plan once with an instance and --save`,
    ]);
  return { calibration: kept.calibration, known };
}

/** What a run has found so far; written whenever it ends. */
interface Findings {
  calibration: Calibration | null;
  known: readonly KnownEnvironment[];
  knee: PredictedKnee | null;
  plan: Plan | null;
  validated: readonly ValidatedMix[];
}

class Planning {
  readonly #asked: Asked;
  readonly #signal: AbortSignal;
  readonly found: Findings = { calibration: null, known: [], knee: null, plan: null, validated: [] };

  constructor(asked: Asked, signal: AbortSignal) {
    this.#asked = asked;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { offline, mix, url } = this.#asked;
    if (offline !== null) {
      Object.assign(this.found, readKept(offline, mix));
      await this.#plan();
      return;
    }
    const owned = url === null ? new PrivateInstance() : null;
    const generator = await LoadGenerator.start();
    try {
      if (owned !== null) say('starting an instance of its own');
      await owned?.start();
      await this.#withInstance({ url: owned?.url ?? url ?? '', key: this.#asked.key }, generator);
    } finally {
      await generator.stop();
      await owned?.stop();
    }
  }

  async #withInstance(instance: Instance, generator: LoadGenerator): Promise<void> {
    const { mix, isQuick, isValidated, save } = this.#asked;
    const { known } = await learnMix(instance, generator, mix, this.#signal);
    this.found.known = known;
    if (this.#signal.aborted) return;
    const how: CalibrationOptions = { ...(isQuick ? quick : full), signal: this.#signal, say };
    const calibration = await calibrate(instance, generator, how);
    this.found.calibration = calibration;
    if (save !== null) writeFileSync(save, `${JSON.stringify({ calibration, learnt: { [mix.name]: known } })}\n`);
    if (this.#signal.aborted) return;
    await this.#plan();
    if (!isValidated || this.#signal.aborted) return;
    const length = isQuick ? quickProbeLength : probeLength;
    const steadyLength = isQuick ? quickSteadyProbeLength : steadyProbeLength;
    let first: Calibration | null = calibration;
    const again = () => {
      const given = first ?? calibrate(instance, generator, how);
      first = null;
      return Promise.resolve(given);
    };
    const validation = { generator, length, steadyLength, calibrate: again, signal: this.#signal, say };
    this.found.validated = await validatePlanner(instance, [mix], validation);
  }

  async #plan(): Promise<void> {
    const { calibration, known } = this.found;
    const { mix, ratePerMinute } = this.#asked;
    if (calibration === null) return;
    const costs: CostModel = fitCosts(calibration);
    const machine: PlannedMachine = {
      ...{ cores: costs.machineCores, slots: costs.slots, memoryBytes: costs.memoryBytes * MEMORY_SHARE },
      ...{ layerBytesMax: LAYER_BYTES_MAX, ...this.#asked.machine },
    };
    const knee = await predictKnee(toModel(costs, mix, known, machine, false), mix, errorOf(costs));
    this.found.knee = knee;
    if (knee.remark !== null)
      throw new MixError([
        `planning '${mix.name}' for a p99 of ${mix.target.p99Ms} ms: ${knee.remark}; give --p99-ms above ${Math.ceil(knee.floorP99Ms)}`,
      ]);
    this.found.plan = await makePlan(costs, mix, known, machine, ratePerMinute, knee);
  }
}

/** The file of a run, complete or not. */
function write(path: string | null, { calibration, knee, plan, validated }: Findings, isComplete: boolean): void {
  if (path === null) return;
  writeFileSync(path, `${JSON.stringify({ isComplete, plan, knee, validated, calibration }, null, 2)}\n`);
}

function tell({ plan, validated }: Findings): void {
  if (plan !== null) process.stdout.write(toPlanText(plan));
  for (const each of validated) process.stdout.write(`${toValidationText(each)}\n`);
}

function toUnavailable({ mix, url, offline }: Asked, error: unknown): string {
  const { message = '', code = '' } = error as { message?: string; code?: string };
  const where = url ?? offline ?? 'an instance of its own';
  return `planning '${mix.name}' at ${where} failed (${[message, code].filter(Boolean).join(' ')}): see that an instance with an agent runs there, and plan again`;
}

/** `bench plan`; resolves to its exit code. */
export async function planCommand(argv: readonly string[], signal: AbortSignal): Promise<number> {
  let asked: Asked;
  try {
    asked = readArguments(argv);
  } catch (error) {
    if (!(error instanceof MixError)) throw error;
    say(error.message);
    return ExitCode.usage;
  }
  const planning = new Planning(asked, signal);
  try {
    await planning.run();
    tell(planning.found);
    write(asked.output, planning.found, !signal.aborted);
  } catch (error) {
    write(asked.output, planning.found, false);
    if (!signal.aborted) {
      say(error instanceof MixError ? error.message : toUnavailable(asked, error));
      return error instanceof MixError ? ExitCode.usage : ExitCode.unavailable;
    }
  }
  if (!signal.aborted) return ExitCode.fine;
  const kept =
    asked.output === null
      ? 'give --output to keep what is known'
      : `${asked.output} has what is known, marked "isComplete": false`;
  say(
    `planning '${asked.mix.name}' was interrupted after ${planning.found.calibration?.runs.length ?? 0} offers: ${kept}`,
  );
  return ExitCode.interrupted;
}
