/**
 * Question: what does the room that speaks Judge0's protocol cost on top of the native API?
 * The same program, by its own translation the same native request, is asked for in turn by the protocol and natively, over connections that stay open, and
 * waited for. A sample of the cost is the difference between two that followed each other; who comes first changes.
 */
import { Pool } from 'undici';
import { readSubmission } from '../../coordinator/compatibility/judge0/judge0-asked.ts';
import { Languages } from '../../coordinator/compatibility/judge0/judge0-languages.ts';
import { toRequest } from '../../coordinator/compatibility/judge0/judge0-request.ts';
import { toSettings } from '../../coordinator/compatibility/judge0/judge0-settings.ts';
import { createAddressPolicy } from '../../coordinator/egress/address-policy.ts';
import { limitMaxima } from '../../shared/model/limits.ts';
import type { InstanceScenario, ScenarioOptions, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const MILLISECONDS_MAX = 0.3;
const PLAIN_TEXT = 43;
const ACCEPTED = 3;
const json = { 'content-type': 'application/json' };

const submission = {
  source_code: 'hello, world\n'.repeat(40),
  language_id: PLAIN_TEXT,
  stdin: '1 2\n'.repeat(100),
  expected_output: 'hello, world\n'.repeat(40),
};

/** What the room makes of it, without what it remembers: a native client has no need of that. */
async function translate(): Promise<object> {
  const languages = new Languages([]);
  const addresses = createAddressPolicy({ allowedPrivateRanges: [], deniedRanges: [], ownAddresses: [] });
  const terms = { addresses, allowsPlainHttp: false, ports: ['443'] };
  const asked = readSubmission(submission, false, { languages, settings: toSettings(limitMaxima), receivers: terms });
  if ('problems' in asked) throw new Error(JSON.stringify(asked.problems));
  const { submission: read, language } = asked;
  const { metadata: _, ...request } = await toRequest(read, language, { languages, maxima: limitMaxima });
  return request;
}

/** Asks and waits; the time in milliseconds. */
async function ask(pool: Pool, path: string, body: string, isRight: (answer: never) => boolean): Promise<number> {
  const from = performance.now();
  const answer = await pool.request({ method: 'POST', path, body, headers: json });
  const told = (await answer.body.json()) as never;
  const took = performance.now() - from;
  if (!isRight(told)) throw new Error(`${path} was answered by ${answer.statusCode}: ${JSON.stringify(told)}`);
  return took;
}

const labels = {
  native: 'natively: POST /v1/executions?wait=true',
  room: 'by Judge0: POST /submissions?wait=true',
  cost: 'the difference of two in a row',
};

/** The scenario; the instance is warm and holds the base environment. */
export const judge0Room: InstanceScenario = {
  name: 'judge0-room',
  needs: 'instance',
  question: "What does the room that speaks Judge0's protocol cost on top of the native API?",
  async run(target, { warmUp, rounds }: ScenarioOptions): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: 1, pipelining: 1 });
    const [native, room] = [JSON.stringify(await translate()), JSON.stringify(submission)];
    const isOk = ({ verdict }: { verdict: string }) => verdict === 'ok';
    const isAccepted = ({ status }: { status: { id: number } }) => status.id === ACCEPTED;
    const askNatively = () => ask(pool, '/v1/executions?wait=true', native, isOk);
    const askRoom = () => ask(pool, '/submissions?wait=true', room, isAccepted);
    const [natively, byRoom, costs]: [number[], number[], number[]] = [[], [], []];
    try {
      for (let round = 0; round < warmUp; round += 1) for (const each of [askNatively, askRoom]) await each();
      for (let round = 0; round < 4 * rounds; round += 1) {
        const isRoomFirst = round % 2 === 1;
        const first = await (isRoomFirst ? askRoom() : askNatively());
        const second = await (isRoomFirst ? askNatively() : askRoom());
        const [ours, theirs] = isRoomFirst ? [second, first] : [first, second];
        natively.push(ours);
        byRoom.push(theirs);
        costs.push(theirs - ours);
      }
    } finally {
      await pool.close();
    }
    const [own, other, cost] = [summarise(natively), summarise(byRoom), summarise(costs)];
    return {
      answer: `A waited submission of Judge0's protocol takes ${toDuration(other.p50)}, ${toDuration(cost.p50)} more than the same natively (p50).`,
      plots: [
        { kind: 'distribution', title: 'A program, asked for and waited for', rows: [labels.native, labels.room] },
      ],
      rows: [
        { label: labels.native, summary: own },
        { label: labels.room, summary: other, against: own },
        { label: labels.cost, summary: cost },
      ],
      goals: [
        {
          promise: `the room costs p50 ≤ ${MILLISECONDS_MAX} ms on top of the native API`,
          seen: `${cost.p50.toFixed(3)} ms`,
          isReached: cost.p50 <= MILLISECONDS_MAX,
        },
      ],
      notes: ['One client, one connection; expected output is compared in the room, and not natively.'],
    };
  },
};
