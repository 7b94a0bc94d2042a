/**
 * Owns the proof that `make run` gives of itself: one real program with four scripts through the public API, its build's log and its result.
 * Never uses anything but HTTP: what it shows, a reader can do again with the printed curl.
 */
import type { Execution } from '../../shared/model/execution.ts';
import { readEvents } from './event-stream.ts';

const program = `#include <gmp.h>
#include <cstdio>

int main() {
  unsigned long n;
  if (std::scanf("%lu", &n) != 1) return 1;
  mpz_t product;
  mpz_init(product);
  mpz_fac_ui(product, n);
  gmp_printf("%lu! = %Zd\\n", n, product);
}
`;

/** What is executed: nobody installed a compiler or this library before. */
export const request = {
  environment: {
    setup: 'apt-get update && apt-get install -y --no-install-recommends g++',
    dependencies: 'apt-get update && apt-get install -y --no-install-recommends libgmp-dev',
  },
  files: [{ path: 'main.cpp', content: program }],
  compile: { script: 'g++ -O1 main.cpp -o main -lgmp' },
  run: { script: './main', stdin: '30\n' },
};

const expected = '30! = 265252859812191058636308480000000\n';

/** Where the demonstration writes its lines. */
export type Say = (name: string, text: string) => void;

/** Runs it; resolves to the finished execution; rejects with a sentence when it is not what it should be. */
export async function demonstrate(url: string, say: Say, signal: AbortSignal): Promise<Execution> {
  const answer = await fetch(`${url}/v1/executions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
    signal,
  });
  const body = await answer.text();
  if (answer.status !== 202) throw new Error(`the API answered ${answer.status} to the demonstration: ${body}`);
  const { id } = JSON.parse(body) as Execution;
  await follow(`${url}/v1/executions/${id}/events`, say, signal);
  const execution = (await (await fetch(`${url}/v1/executions/${id}`, { signal })).json()) as Execution;
  if (execution.run?.stdout !== expected) {
    throw new Error(`the demonstration did not print what it should: ${JSON.stringify(execution, null, 2)}`);
  }
  return execution;
}

/** Shows stages and the build's log until the end. */
async function follow(url: string, say: Say, signal: AbortSignal): Promise<void> {
  for await (const { event, data } of readEvents(url, signal)) {
    if (event === 'finished') return;
    const fields = JSON.parse(data) as Record<string, unknown>;
    if (event === 'stage') say('demonstration', describeStage(String(fields['stage'])));
    if (event === 'build.log') sayLines(say, fields);
  }
}

function describeStage(stage: string): string {
  return stage === 'building'
    ? 'building: nobody asked for this environment before; base, compiler and library take a minute or two'
    : stage;
}

function sayLines(say: Say, fields: Record<string, unknown>): void {
  const text = String(fields['text'] ?? fields['phase'] ?? '');
  for (const line of text.split('\n')) if (line.trim() !== '') say('build', line.trimEnd());
}

/** The result, as lines for a person, with a command that does it again. */
export function describe(execution: Execution, url: string): string[] {
  const { timing, run, environment } = execution;
  const layers = environment?.layers
    .map(({ kind, bytes, origin }) => `${kind} ${megabytes(bytes)} (${origin})`)
    .join(', ');
  return [
    `${execution.verdict}: ${run?.stdout.trim()}`,
    `environment ${environment?.id}: ${layers}`,
    `build ${seconds(timing.buildMs)}, fetch ${seconds(timing.fetchMs)}, compile and run ${seconds(timing.executeMs)}; ` +
      `run: ${run?.usage.wallTimeMs.toFixed(1)} ms, ${megabytes(run?.usage.memoryPeakBytes ?? 0)} of memory`,
    'the same again, by hand:',
    `  curl -s '${url}/v1/executions?wait=true' -H 'content-type: application/json' -d '${shellQuoted(environment?.id)}'`,
  ];
}

function shellQuoted(environment: string | undefined): string {
  return JSON.stringify({ ...request, environment: environment ?? request.environment }).replaceAll("'", `'\\''`);
}

const seconds = (durationMs: number) => `${(durationMs / 1000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
