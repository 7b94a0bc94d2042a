/**
 * Question: how long does `make run` take to be ready when everything has been built before?
 * From the supervisor's spawn to its line that it serves, with the state that the scenarios before it left.
 */

import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const STARTS = 5;

/** The scenario; only for an instance of our own. */
export const secondStart: InstanceScenario = {
  needs: 'instance',
  name: 'second-start',
  question: 'How long does a second start take until it serves?',
  async run(target): Promise<ScenarioResult> {
    const samples: number[] = [];
    while (target.instance !== null && samples.length < STARTS) samples.push(await target.instance.restart());
    const summary = summarise(samples);
    return {
      answer: `It serves ${toDuration(summary.p50)} after its start (p50).`,
      rows: [{ label: 'start to serving', summary }],
    };
  },
};
