/**
 * Question: how long does a C++ environment take from nothing, and where does the time go?
 * The setup script carries a fresh comment, so that its layer is always built; the base is built too when the instance is new.
 * One sample by nature: phases are told apart by the events of the environment's build.
 */
import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import type { Environment } from '../../shared/model/environment.ts';
import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const events = /^event: ?(.*)$/m;
const data = /^data: ?(.*)$/gm;

/** Names each stretch of the build's event stream by its latest phase, and says how many milliseconds it took. */
async function phases(url: string, id: string): Promise<Map<string, number>> {
  const spent = new Map<string, number>();
  const answer = await request(`${url}/v1/environments/${id}/events`, { headers: { accept: 'text/event-stream' } });
  let text = '';
  let phase = 'queued';
  let since = performance.now();
  for await (const chunk of answer.body.setEncoding('utf8')) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const name = events.exec(block)?.[1] ?? '';
      const content = [...block.matchAll(data)].map((match) => match[1]).join('\n');
      const now = performance.now();
      const next = name === 'finished' ? 'finished' : /"phase":"([^"]+)"/.exec(content)?.[1];
      if (next === undefined) continue;
      const label = `${/"kind":"([^"]+)"/.exec(content)?.[1] ?? 'layer'} ${next}`;
      spent.set(phase, (spent.get(phase) ?? 0) + now - since);
      since = now;
      phase = label;
      if (name === 'finished') return spent;
    }
  }
  return spent;
}

/** The scenario. */
export const environmentBuild: InstanceScenario = {
  needs: 'instance',
  name: 'environment-build',
  question: 'How long does a C++ environment take to build from nothing?',
  async run(target, { isQuick }): Promise<ScenarioResult> {
    // A quick run only looks whether it works.
    const what = isQuick ? 'hello' : 'g++';
    const environment = {
      setup: `# ${randomUUID()}\napt-get update\napt-get install -y --no-install-recommends ${what}`,
    };
    const from = performance.now();
    const posted = await request(`${target.url}/v1/environments`, {
      method: 'POST',
      body: JSON.stringify(environment),
      headers: { 'content-type': 'application/json' },
    });
    const { id } = (await posted.body.json()) as Environment;
    const spent = await phases(target.url, id);
    const total = performance.now() - from;
    const rows = [...spent].map(([label, ms]) => ({ label, summary: summarise([ms]) }));
    const [longest] = [...rows].sort((a, b) => b.summary.p50 - a.summary.p50);
    return {
      answer: `It takes ${toDuration(total)} from nothing; the longest part is '${longest?.label}' with ${toDuration(longest?.summary.p50 ?? Number.NaN)}.`,
      rows: [...rows, { label: 'all', summary: summarise([total]) }],
      plots: [
        {
          kind: 'split',
          title: 'Where the time of a build goes',
          bars: [{ label: `setup of ${what}`, parts: rows.map(({ label }) => ({ label, row: label })) }],
        },
      ],
    };
  },
};
