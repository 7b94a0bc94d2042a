/**
 * Owns what a mix is: an operator's own load as a JSON file. Environments with their shares and what runs in them, how arrivals rise and fall, and
 * the latency that is to be kept. Never asks an instance: whether it knows an environment is seen when the mix is offered.
 * Invariant: whoever holds a Mix holds one without a problem; every problem is a sentence that names the place, the value and the remedy.
 */
import { readFileSync } from 'node:fs';
import { type Static, Type } from '@sinclair/typebox';
import type { ValueError } from '@sinclair/typebox/errors';
import { Value } from '@sinclair/typebox/value';
import { Closed } from '../../shared/model/closed.ts';
import { EnvironmentReference, EnvironmentRequest } from '../../shared/model/environment.ts';
import { ExecutionRequest } from '../../shared/model/execution.ts';
import { Distribution, flawOf } from './distribution.ts';

const bytes = (description: string) => Type.Integer({ minimum: 0, maximum: 2 ** 40, description });

/** A program that does nothing but use what is said: so much processor time, memory and disk. */
export const SyntheticProgram = Closed({
  cpuTimeMs: Distribution,
  memoryBytes: Type.Optional(bytes('What it holds; default 0.')),
  diskBytes: Type.Optional(bytes('What it writes into its workspace; default 0.')),
  waitMs: Type.Optional(Type.Number({ minimum: 0, description: 'For how long it sleeps; default 0.' })),
});
export type SyntheticProgram = Static<typeof SyntheticProgram>;

const name = Type.String({ minLength: 1, maxLength: 64, description: 'Shown in reports.' });
const share = Type.Number({ minimum: 0, maximum: 1, description: 'Of all submissions; all shares together are 1.' });

/** Submissions in one environment: a synthetic program in it, or a native request. */
export const MixEnvironment = Type.Union([
  Closed({
    ...{ name, share },
    environment: Type.Optional(Type.Union([EnvironmentReference, EnvironmentRequest])),
    program: SyntheticProgram,
  }),
  Closed({ ...{ name, share }, request: ExecutionRequest }),
]);
export type MixEnvironment = Static<typeof MixEnvironment>;

/** A piece of the arrival curve. */
export const CurvePiece = Closed({
  forMs: Type.Integer({ minimum: 1, description: 'How long.' }),
  shareOfPeak: Type.Number({ minimum: 0, maximum: 1, description: 'Of the rate at the peak.' }),
});

/** See the head of this file. */
export const Mix = Closed({
  name: Type.String({ minLength: 1, maxLength: 64, description: 'Shown in reports.' }),
  environments: Type.Array(MixEnvironment, { minItems: 1, maxItems: 64, description: 'What is submitted.' }),
  arrivals: Type.Optional(
    Type.Array(CurvePiece, { minItems: 1, maxItems: 1440, description: 'Over and over; default: always the peak.' }),
  ),
  target: Closed({ p99Ms: Type.Number({ exclusiveMinimum: 0, description: 'From submission to result, 99 of 100.' }) }),
  /** Submissions a minute at the peak, when `--rate` does not say. */
  ratePerMinute: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'At the peak; default: --rate.' })),
});
export type Mix = Static<typeof Mix>;

/** Shares add up when they are no further from 1 than rounding to a thousandth explains. */
const SHARE_SLACK = 0.005;

/** A mix that can't be used: one sentence for each problem. */
export class MixError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const brief = (value: unknown) => JSON.stringify(value)?.slice(0, 80) ?? 'nothing';

/** Of something that may be one of several: the errors of the one that it is nearest to. */
function nearest(error: ValueError): ValueError[] {
  const variants = error.errors.map((variant) => [...variant].flatMap(nearest));
  const [best] = variants.sort((a, b) => depthOf(b) - depthOf(a) || a.length - b.length);
  return best === undefined || best.length === 0 ? [error] : best;
}

const depthOf = (errors: readonly ValueError[]) => Math.max(...errors.map(({ path }) => path.split('/').length));

function shapeProblems(value: unknown, from: string): string[] {
  const errors = [...Value.Errors(Mix, value)].flatMap(nearest).slice(0, 8);
  return errors.map(({ path, message, value: seen }) => {
    const place = path === '' ? '/' : path;
    return `reading ${from}: ${place} is ${brief(seen)}: ${message}; see docs/capacity-planning.md for what a mix holds`;
  });
}

function meaningProblems(mix: Mix, from: string): string[] {
  const problems: string[] = [];
  const sum = mix.environments.reduce((total, environment) => total + environment.share, 0);
  if (Math.abs(sum - 1) > SHARE_SLACK) {
    const shares = mix.environments.map((environment) => environment.share).join(' + ');
    problems.push(`reading ${from}: the shares ${shares} add up to ${sum.toFixed(3)}: make them add up to 1`);
  }
  const names = mix.environments.map((environment) => environment.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined)
    problems.push(`reading ${from}: two environments are named '${twice}': give each its own name`);
  for (const environment of mix.environments) {
    const flaw = 'program' in environment ? flawOf(environment.program.cpuTimeMs) : null;
    if (flaw !== null) problems.push(`reading ${from}: cpuTimeMs of '${environment.name}' ${flaw}`);
  }
  if (mix.arrivals?.every(({ shareOfPeak }) => shareOfPeak === 0) === true)
    problems.push(`reading ${from}: every shareOfPeak of /arrivals is 0: nothing would arrive; give the peak 1`);
  return problems;
}

/** The mix in this JSON value; throws MixError with every problem. */
export function parseMix(value: unknown, from: string): Mix {
  const problems = Value.Check(Mix, value) ? meaningProblems(value, from) : shapeProblems(value, from);
  if (problems.length > 0) throw new MixError(problems);
  return value as Mix;
}

/** The mix in a file; throws MixError, also when there is no such file or it is no JSON. */
export function readMix(path: string): Mix {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why = (error as { code?: string }).code ?? String(error);
    throw new MixError([
      `reading the mix '${path}' failed (${why}): name a JSON file, such as bench/planner/mixes/short.json`,
    ]);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new MixError([`reading ${path}: it is no JSON (${(error as Error).message}): correct it`]);
  }
  return parseMix(value, path);
}
