/**
 * Question: how much memory does each process hold after it has worked?
 * Resident bytes from /proc after a hundred executions; pages that processes share count in each of them.
 */
import { request } from 'undici';
import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';

const EXECUTIONS = 100;
const MEBIBYTE = 1024 * 1024;

/** The scenario; only for an instance of our own. */
export const residentMemory: InstanceScenario = {
  needs: 'instance',
  name: 'resident-memory',
  question: 'How much memory does each process hold after a hundred executions?',
  async run(target): Promise<ScenarioResult> {
    const body = JSON.stringify({ environment: {}, run: { script: 'echo hello' } });
    for (let count = 0; count < EXECUTIONS; count++) {
      const answer = await request(`${target.url}/v1/executions?wait=true`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
      await answer.body.dump();
    }
    const rows = [...(target.instance?.residentBytes() ?? [])].map(([label, bytes]) => ({
      label,
      summary: summarise([bytes / MEBIBYTE]),
    }));
    const all = rows.reduce((sum, { summary }) => sum + summary.p50, 0);
    return {
      answer: `All of an instance's processes hold ${toFigure(all)} MiB after a hundred executions.`,
      ...{ unit: 'MiB', rows },
      plots: [{ kind: 'bars', title: 'Resident memory by process', rows: rows.map(({ label }) => label) }],
    };
  },
};
