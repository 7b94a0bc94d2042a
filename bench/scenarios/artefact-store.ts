/**
 * Question: how much does the store of artefacts save a second build of the same packages?
 * The base is there before the first build; each build's script has a fresh comment, so that its layer is always built. What is timed is a
 * build as a client sees it, from the request to the event `finished`.
 * Never more than one first build in a run: a store is empty once. An instance that somebody else runs may know the packages already.
 */
import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import type { Environment } from '../../shared/model/environment.ts';
import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';

const AGAIN = 3;
const FASTER_MIN = 2;

/** Builds an environment to its end; returns the milliseconds. */
async function build(url: string, environment: object): Promise<number> {
  const from = performance.now();
  const posted = await request(`${url}/v1/environments`, {
    method: 'POST',
    body: JSON.stringify(environment),
    headers: { 'content-type': 'application/json' },
  });
  const { id } = (await posted.body.json()) as Environment;
  const events = await request(`${url}/v1/environments/${id}/events`, { headers: { accept: 'text/event-stream' } });
  // The stream ends with the build.
  await events.body.dump({ limit: Number.MAX_SAFE_INTEGER });
  const asked = await request(`${url}/v1/environments/${id}`);
  const { state, failure } = (await asked.body.json()) as Environment;
  if (state !== 'ready') throw new Error(`the environment is ${state}: ${failure?.detail ?? 'its script failed'}`);
  return performance.now() - from;
}

/** The scenario. */
export const artefactStore: InstanceScenario = {
  needs: 'instance',
  name: 'artefact-store',
  question: 'How much does the store of artefacts save a second build of a C++ environment?',
  async run(target, { isQuick }): Promise<ScenarioResult> {
    // A quick run only looks whether it works.
    const what = isQuick ? 'hello' : 'g++';
    const cpp = () => ({
      setup: `# ${randomUUID()}\napt-get update\napt-get install -y --no-install-recommends ${what}`,
    });
    await build(target.url, { base: 'debian-13' });
    const first = await build(target.url, cpp());
    const again: number[] = [];
    for (let round = 0; round < (isQuick ? 1 : AGAIN); round += 1) again.push(await build(target.url, cpp()));
    const [one, more] = [summarise([first]), summarise(again)];
    const faster = one.p50 / more.p50;
    return {
      answer: `The same packages again take ${toDuration(more.p50)}, ${toFigure(faster)} × faster than the first time (${toDuration(one.p50)}).`,
      plots: [
        {
          kind: 'bars',
          title: 'A build of the same packages',
          rows: ['first build, the store is empty', 'the same packages again'],
        },
      ],
      rows: [
        { label: 'first build, the store is empty', summary: one },
        { label: 'the same packages again', summary: more, against: one },
      ],
      goals: [
        {
          promise: `≥ ${FASTER_MIN} × faster than the first build`,
          seen: `${faster.toFixed(2)} ×`,
          isReached: faster >= FASTER_MIN,
        },
      ],
      notes: ['The base was built before; apt and dpkg unpack the same packages in both, only the fetching differs.'],
    };
  },
};
