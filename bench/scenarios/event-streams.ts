/**
 * Question: what do a thousand readers that follow an execution cost the coordinator?
 * Resident memory of the coordinator of a whole instance, before and with the streams open, while the execution runs; in turn with it a server of Node
 * alone that holds as many. The readers are connections of this process.
 */
import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { residentBytes } from '../gauges/process-memory.ts';
import { startBareStreams } from '../peers/bare-streams.ts';
import { type InstanceScenario, onlyOurOwn, type ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';

const STREAMS = 1000;
const MEBIBYTE = 1024 * 1024;
const MEBIBYTES_MAX = 100;
/** Between opening and looking: pings come every 15 s. */
const SETTLING_MS = 16_000;
const QUICK_MS = 1000;

/** Readers of one address. */
class Readers {
  readonly #agent = new Agent({ maxSockets: STREAMS + 1 });
  readonly #open: ClientRequest[] = [];

  async open(url: string): Promise<void> {
    const one = async () => {
      const asked = request(url, { agent: this.#agent, headers: { accept: 'text/event-stream' } });
      asked.on('error', () => undefined);
      this.#open.push(asked);
      asked.end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`);
      answer.on('error', () => undefined).resume();
    };
    for (let done = 0; done < STREAMS; done += 50) await Promise.all(Array.from({ length: 50 }, one));
  }

  close(): void {
    for (const asked of this.#open) asked.destroy();
    this.#agent.destroy();
  }
}

/** What so many streams add to a process. */
async function growth(pid: number, url: string, settlingMs: number): Promise<number> {
  const before = residentBytes(pid);
  const readers = new Readers();
  try {
    await readers.open(url);
    await pause(settlingMs);
    return (residentBytes(pid) - before) / MEBIBYTE;
  } finally {
    readers.close();
  }
}

async function beginLong(url: string): Promise<string> {
  const limits = { wallTimeMs: 300_000, idleTimeMs: 300_000 };
  const body = JSON.stringify({ environment: {}, run: { script: 'sleep 240', limits } });
  const answer = await fetch(`${url}/v1/executions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  if (answer.status !== 202) throw new Error(`POST /v1/executions: ${answer.status}`);
  return ((await answer.json()) as { id: string }).id;
}

/** The scenario; only for an instance of our own. */
export const eventStreams: InstanceScenario = {
  needs: 'instance',
  name: 'event-streams',
  question: 'What do 1,000 open event streams cost the coordinator?',
  async run({ instance, url }, { isQuick }): Promise<ScenarioResult> {
    if (instance === null) return onlyOurOwn;
    const coordinator = instance.processId('coordinator/main.ts');
    const [windows, settlingMs] = isQuick ? [1, QUICK_MS] : [3, SETTLING_MS];
    const [floor, ours]: [number[], number[]] = [[], []];
    const whole: number[] = [];
    const id = await beginLong(url);
    try {
      for (let window = 0; window < windows; window += 1) {
        const bare = await startBareStreams();
        floor.push(await growth(bare.pid, bare.url, settlingMs).finally(() => bare.stop()));
        ours.push(await growth(coordinator, `${url}/v1/executions/${id}/events`, settlingMs));
        whole.push(residentBytes(coordinator) / MEBIBYTE);
      }
    } finally {
      await fetch(`${url}/v1/executions/${id}`, { method: 'DELETE' });
    }
    // What one window took from the system, the next one finds there: the first tells the truth.
    const [most, against] = [Math.max(...ours), summarise(floor)];
    return {
      answer: `${STREAMS} open streams cost the coordinator ${toFigure(most)} MiB at the most, Node alone ${toFigure(against.p50)} MiB.`,
      plots: [
        {
          kind: 'bars',
          title: 'What they add',
          rows: [`Node alone, ${STREAMS} streams more`, `coordinator, ${STREAMS} streams more`],
        },
      ],
      unit: 'MiB',
      rows: [
        { label: `Node alone, ${STREAMS} streams more`, summary: against },
        { label: `coordinator, ${STREAMS} streams more`, summary: summarise(ours), against },
        { label: 'coordinator, all that is resident', summary: summarise(whole) },
      ],
      goals: [
        {
          promise: `${STREAMS} open event streams: ≤ ${MEBIBYTES_MAX} MiB`,
          seen: `${most.toFixed(1)} MiB more at the most, ${Math.max(...whole).toFixed(0)} MiB in all`,
          isReached: most <= MEBIBYTES_MAX,
        },
      ],
      notes: [
        `${windows} windows, each ${settlingMs / 1000} s after the last stream was opened${isQuick ? '' : ', so that a ping was written to each'}.`,
      ],
    };
  },
};
