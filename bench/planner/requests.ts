/**
 * Owns the requests that a mix stands for: native ones as they are, synthetic programs as a request that names a program sent once before.
 * Never times anything. Invariant: an environment that is not there, or does not work, is found before load is offered, by one execution of each.
 */
import { readFileSync } from 'node:fs';
import { request } from 'undici';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';
import { CPU_TOKEN } from './generator/orders.ts';
import { type Mix, type MixEnvironment, MixError } from './mix.ts';

const MICROSECONDS = 1000;
/** Above what a program of a mix holds itself. */
const MEMORY_SLACK_BYTES = 64 * 2 ** 20;
const FETCH_MS_MIN = 50;
const DISK_SLACK_BYTES = 16 * 2 ** 20;

/** An instance, as requests are sent to it. */
export interface Instance {
  readonly url: string;
  readonly key: string | null;
}

const headersOf = ({ key }: Instance): Record<string, string> =>
  key === null ? {} : { authorization: `Bearer ${key}` };

async function upload(instance: Instance, bytes: Uint8Array): Promise<string> {
  const answer = await request(`${instance.url}/v1/files`, {
    ...{ method: 'POST', body: bytes },
    headers: { 'content-type': 'application/octet-stream', ...headersOf(instance) },
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300)
    throw new MixError([
      `sending the program of a mix to ${instance.url} gave ${answer.statusCode}: ${text.slice(0, 300)}`,
    ]);
  return (JSON.parse(text) as { id: string }).id;
}

function toRequest(environment: MixEnvironment, file: string): ExecutionRequest {
  if (!('program' in environment)) return environment.request;
  const { memoryBytes = 0, diskBytes = 0, waitMs = 0, cpuTimeMs } = environment.program;
  const longest = cpuTimeMs.kind === 'constant' ? cpuTimeMs.ms : 50_000;
  return {
    environment: environment.environment ?? {},
    files: [{ path: 'burn', file, executable: true }],
    run: {
      script: `exec ./burn "$@"`,
      arguments: [CPU_TOKEN, String(memoryBytes), String(diskBytes), String(Math.round(waitMs * MICROSECONDS))],
      limits: {
        cpuTimeMs: Math.min(60_000, Math.ceil(longest) + 10_000),
        wallTimeMs: 64_000,
        idleTimeMs: 64_000,
        // As an operator would bound it, so that placement promises what is really needed.
        memoryBytes: memoryBytes + MEMORY_SLACK_BYTES,
        diskBytes: diskBytes + DISK_SLACK_BYTES,
      },
    },
  } as ExecutionRequest;
}

/** Bodies of a mix's environments, in their order; what they need is sent to the instance. */
export async function toTemplates(instance: Instance, mix: Mix): Promise<string[]> {
  const needsProgram = mix.environments.some((environment) => 'program' in environment);
  const file = needsProgram ? await upload(instance, readFileSync(compiledProgram('planner/programs/burn.c'))) : '';
  return mix.environments.map((environment) => JSON.stringify(toRequest(environment, file)));
}

/** What one environment turned out to be when it was tried. */
export interface TriedEnvironment {
  readonly name: string;
  readonly environmentId: string | null;
  /** Compressed, of all its layers. */
  readonly layerBytes: number;
  readonly layers: readonly { readonly digest: string; readonly bytes: number }[];
  /** How long they took to come to the agent; 0: they were there. */
  readonly fetchMs: number;
  /** Memory that its limits promise it. */
  readonly memoryBytes: number;
}

/** Runs each environment once, which builds it and brings it to an agent; throws MixError with every environment that does not work. */
export async function tryEnvironments(
  instance: Instance,
  mix: Mix,
  templates: readonly string[],
): Promise<TriedEnvironment[]> {
  const problems: string[] = [];
  const tried: TriedEnvironment[] = [];
  for (const [index, { name }] of mix.environments.entries()) {
    const answer = await request(`${instance.url}/v1/executions?wait=true`, {
      ...{
        method: 'POST',
        body: (templates[index] ?? '').replace(CPU_TOKEN, '1000'),
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      headers: { 'content-type': 'application/json', ...headersOf(instance) },
    });
    const text = await answer.body.text();
    const flaw = flawOfTrial(answer.statusCode, text, name, mix.name);
    if (flaw !== null) problems.push(flaw);
    else tried.push(toTried(name, JSON.parse(text) as Execution, templates[index] ?? ''));
  }
  if (problems.length > 0) throw new MixError(problems);
  return tried;
}

function flawOfTrial(statusCode: number, text: string, name: string, mix: string): string | null {
  const place = `running environment '${name}' of mix '${mix}' once`;
  if (statusCode !== 200) {
    const { detail = text.slice(0, 200) } = toProblem(text);
    return `${place} gave ${statusCode} (${detail}): correct its environment or request`;
  }
  const { stage, verdict, endedIn, failure } = JSON.parse(text) as Execution;
  if (stage !== 'finished')
    return `${place} ended as ${stage} (${failure?.detail ?? 'no reason'}): see that the instance has an agent`;
  if (endedIn === 'setup' || endedIn === 'dependencies' || endedIn === 'verify')
    return `${place} ended in its ${endedIn} as ${verdict}: correct that script`;
  return null;
}

function toProblem(text: string): { detail?: string } {
  try {
    return JSON.parse(text) as { detail?: string };
  } catch {
    return {};
  }
}

function toTried(name: string, { environment, timing }: Execution, template: string): TriedEnvironment {
  const asked = JSON.parse(template) as ExecutionRequest;
  const layers = (environment?.layers ?? []).map(({ digest, bytes }) => ({ digest, bytes }));
  const layerBytes = layers.reduce((sum, { bytes }) => sum + bytes, 0);
  const memoryBytes = Math.max(
    ...[asked.compile, asked.run].map((script) => script?.limits?.memoryBytes ?? 0),
    asked.run.limits?.memoryBytes ?? limitDefaults.run.memoryBytes,
  );
  // A file that is named and was held already takes less than this.
  const fetchMs = timing.fetchMs < FETCH_MS_MIN ? 0 : timing.fetchMs;
  return { name, environmentId: environment?.id ?? null, layerBytes, layers, fetchMs, memoryBytes };
}
