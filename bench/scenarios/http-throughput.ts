/**
 * Question: how many programs per second through our whole HTTP path, next to go-judge's?
 * Both are asked over HTTP by the same Node process to run /bin/true and wait for its end: here that is HTTP, coordinator, state store,
 * WebSocket, agent and launcher; there HTTP and its engine, default settings. Windows interleaved; go-judge runs only here.
 */
import { Pool } from 'undici';
import { executeTrue } from '../execute-true.ts';
import { GoJudge, noGoJudge } from '../peers/go-judge.ts';
import type { Goal } from '../recording.ts';
import type { InstanceScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { perSecond, windowsFor } from '../windows.ts';
import { toFigure } from '../wording.ts';

const CLIENTS = [1, 2, 4, 8] as const;
const TIMES_GO_JUDGE = 2.5;

async function judge(goJudge: GoJudge): Promise<void> {
  const { status } = await goJudge.run({ args: ['/bin/true'] });
  if (status !== 'Accepted') throw new Error(`go-judge says ${status}`);
}

async function measure(pool: Pool, goJudge: GoJudge | null, clients: number, rounds: number) {
  const [ours, theirs]: [number[], number[]] = [[], []];
  const { windows, windowMs } = windowsFor(rounds);
  for (let window = 0; window < windows; window++) {
    if (goJudge !== null) theirs.push(await perSecond(clients, windowMs, () => judge(goJudge)));
    ours.push(await perSecond(clients, windowMs, () => executeTrue(pool)));
  }
  return { ours: summarise(ours), theirs: summarise(theirs) };
}

function toGoal(ours: Summary, theirs: Summary, clients: number): Goal {
  return {
    promise: `≥ ${TIMES_GO_JUDGE} × go-judge over HTTP, ${clients} clients`,
    seen: `${(ours.p50 / theirs.p50).toFixed(2)} × (${ours.p50.toFixed(0)}/s against ${theirs.p50.toFixed(0)}/s)`,
    isReached: ours.p50 >= TIMES_GO_JUDGE * theirs.p50,
  };
}

/** The scenario; the instance is warm and holds the base environment. */
export const httpThroughput: InstanceScenario = {
  name: 'http-throughput',
  needs: 'instance',
  question: 'How many programs per second over HTTP, next to go-judge?',
  async run(target, options): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: 16, pipelining: 1 });
    const goJudge = await GoJudge.start();
    const rows: ScenarioRow[] = [];
    const goals: Goal[] = [];
    try {
      for (let warmUp = 0; warmUp < options.warmUp; warmUp++) await executeTrue(pool);
      for (const clients of CLIENTS) {
        const { ours, theirs } = await measure(pool, goJudge, clients, options.rounds);
        if (goJudge !== null) rows.push({ label: `go-judge, ${clients} clients`, summary: theirs });
        const against = goJudge === null ? {} : { against: theirs };
        rows.push({ label: `envicutor, ${clients} clients`, summary: ours, ...against });
        if (goJudge !== null) goals.push(toGoal(ours, theirs, clients));
      }
      const notes = ['A sample is one window; × is the p50 as a multiple of the rival above it.'];
      const most = rows.filter(({ label }) => label.startsWith('envicutor')).map(({ summary }) => summary.p50);
      const lines = (goJudge === null ? ['envicutor'] : ['envicutor', 'go-judge']).map((label) => ({
        label,
        points: CLIENTS.map((clients) => ({ x: clients, row: `${label}, ${clients} clients` })),
      }));
      return {
        answer: `At most ${toFigure(Math.max(...most))} programs a second over HTTP.`,
        ...{ unit: 'runs/s', rows, goals, notes, absent: goJudge === null ? [noGoJudge] : [] },
        plots: [{ kind: 'curve', title: 'Programs a second by clients', x: 'clients', lines }],
      };
    } finally {
      await goJudge?.stop();
      await pool.close();
    }
  },
};
