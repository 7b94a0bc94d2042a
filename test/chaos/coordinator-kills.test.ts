/**
 * Owns the proof that several coordinators on one PostgreSQL, with MinIO and real agents, lose nothing that they accepted, finish nothing twice and
 * leave nothing lying about, whatever of them is killed, stands still, is cut off or finds its disk full. Moments follow from the seed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Execution } from '../../shared/model/execution.ts';
import type { Answer, ApiClient, Problem } from '../support/api-client.ts';
import { BreakableSite, SETUPS } from '../support/breakable-site.ts';
import { History } from '../support/history.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';
import { type Fault, faultsOf } from '../support/site-faults.ts';

const CLIENTS = 8;
const wanted = howMany('ENVICUTOR_CHAOS_EXECUTIONS', 500, 10_000);
const tenants = ['one', 'two', 'three'];

/** What a client asks, and the one answer that is right; the last one's is the number of its environment. */
const orders = [
  { run: { script: 'echo begun; sleep 0.2; echo done' }, verdict: 'ok', stdout: 'begun\ndone\n' },
  { run: { script: 'exit 3' }, verdict: 'nonzero-exit', stdout: '' },
  { compile: { script: 'echo made > program' }, run: { script: 'cat program' }, verdict: 'ok', stdout: 'made\n' },
  { run: { script: 'sleep 60', limits: { wallTimeMs: 300 } }, verdict: 'wall-time-exceeded', stdout: '' },
  { run: { script: 'head -n 1 /number' }, verdict: 'ok', stdout: null },
] as const;

/** What is counted besides. */
interface Sums {
  /** Failures of ours by what was said. */
  readonly failures: Map<string, number>;
  /** Answers that were none, by status, code and what went wrong then, or had just gone wrong. */
  readonly refusals: Map<string, number>;
  during: string;
  ours: number;
  retried: number;
}

/** Asks any of the coordinators until one answers as it should. */
async function insist(
  site: BreakableSite,
  tenant: string,
  { random, sums }: { readonly random: SeededNumbers; readonly sums: Sums },
  ask: (client: ApiClient) => Promise<Answer<unknown>>,
): Promise<Answer<unknown>> {
  for (;;) {
    const member = random.of(site.members);
    const answer = await ask(site.coordinators.as(tenant, member)).catch(() => null);
    if (answer !== null && answer.status < 500 && answer.status !== 429) return answer;
    if (answer !== null) count(sums.refusals, `${answer.status} ${(answer.body as Problem).code}, ${sums.during}`);
    await wait(50 + random.below(100));
  }
}

async function client(
  site: BreakableSite,
  number: number,
  history: History,
  sums: Sums,
  isEnough: () => boolean,
): Promise<void> {
  const random = new SeededNumbers(`${testSeed} client ${number}`);
  const asker = { random, sums };
  for (let count = 0; !isEnough(); count += 1) {
    const tenant = random.of(tenants);
    const order = random.below(orders.length);
    const { verdict: _verdict, stdout: _stdout, ...request } = orders[order] as (typeof orders)[number];
    const setup = random.below(SETUPS);
    const key = `${number}-${count}-${order}-${setup}`;
    const body = { environment: { base: 'debian-13', setup: `number ${setup}` }, ...request };
    const ask = (api: ApiClient) => api.post('/v1/executions', body, { 'idempotency-key': key });
    const accepted = await insist(site, tenant, asker, ask);
    assert.equal(accepted.status, 202, `seed ${testSeed}: ${JSON.stringify(accepted.body)}`);
    const { id } = accepted.body as Execution;
    history.acceptedAs(tenant, key, id);
    for (;;) {
      const found = await insist(site, tenant, asker, (api) => api.get(`/v1/executions/${id}`));
      const answer = found.status === 200 ? (found.body as Execution) : null;
      history.told({ id, tenantId: tenant, answer });
      if (answer === null) break;
      if (answer.finishedAt !== null) {
        countOutcome(answer, sums);
        break;
      }
      await wait(100);
    }
  }
}

function countOutcome(execution: Execution, sums: Sums): void {
  if (execution.attempts > 1) sums.retried += 1;
  if (execution.stage !== 'failed') return;
  sums.ours += 1;
  const said = `${execution.failure?.code}: ${execution.failure?.detail}`.replaceAll(/(agent|lease|exec)_\w+/g, '$1');
  count(sums.failures, said);
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Is this what the program of that key earned, or a failure of ours by name? */
function isRight(key: string, { stage, verdict, run, failure }: Execution): boolean {
  if (stage === 'failed') return failure !== null && verdict === null;
  const [, , order, setup] = key.split('-');
  const wanted = orders[Number(order)];
  return stage === 'finished' && verdict === wanted?.verdict && run?.stdout === (wanted.stdout ?? `${setup}\n`);
}

async function sumOfLeases(site: BreakableSite): Promise<number> {
  let sum = 0;
  for (const member of site.members) {
    sum += await site.coordinators.as('operator', member).metric('envicutor_leases');
  }
  return sum;
}

/** What goes wrong one after the other: everything in turn, then by chance. */
class Chaos {
  readonly counts: Record<string, number> = {};
  isOver = false;
  readonly #ways: readonly [string, Fault][];
  readonly #random: SeededNumbers;
  readonly #told: (name: string) => void;

  constructor(faults: Readonly<Record<string, Fault>>, random: SeededNumbers, told: (name: string) => void) {
    this.#ways = Object.entries(faults);
    this.#random = random;
    this.#told = told;
  }

  get isComplete(): boolean {
    return Object.keys(this.counts).length === this.#ways.length;
  }

  stop(): void {
    this.isOver = true;
  }

  async rage(): Promise<void> {
    try {
      for (let count = 0; !this.isOver; count += 1) {
        const [name, fault] = this.#ways[count] ?? this.#random.of(this.#ways);
        await wait(this.#random.below(1500));
        if (this.isOver) break;
        this.#told(name);
        await fault();
        this.counts[name] = (this.counts[name] ?? 0) + 1;
      }
    } finally {
      this.stop();
    }
  }
}

test(`${wanted} executions on three coordinators end once each, whatever is killed, stands still, is cut off or full`, async (context) => {
  context.diagnostic(`seed ${testSeed}`);
  const from = performance.now();
  const site = await BreakableSite.set(context, tenants);
  const random = new SeededNumbers(`${testSeed} faults`);
  const history = new History(isRight);
  const sums: Sums = { failures: new Map(), refusals: new Map(), during: 'at rest', ours: 0, retried: 0 };
  const chaos = new Chaos(faultsOf(site, random), random, (name) => {
    sums.during = name;
    context.diagnostic(`${((performance.now() - from) / 1000).toFixed(1)} s: ${name}`);
  });
  const isEnough = () => chaos.isOver || (chaos.isComplete && history.ended >= wanted);
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(site, number, history, sums, isEnough));
  await Promise.all([Promise.all(clients).finally(() => chaos.stop()), chaos.rage()]);
  const { counts } = chaos;
  // What was told once is told for ever, by whomever is asked.
  for (const { id, tenantId } of history.ids()) {
    for (const member of site.members) {
      const { status, body } = await site.coordinators.as(tenantId, member).get(`/v1/executions/${id}`);
      history.told({ id, tenantId, answer: status === 200 ? (body as Execution) : null });
    }
  }
  const violations = history.check();
  const deadline = performance.now() + 30_000;
  while ((await sumOfLeases(site)) > 0 && performance.now() < deadline) await wait(200);
  const leases = await sumOfLeases(site);
  const leftovers = await site.leftovers();
  const { ours, retried, failures, refusals } = sums;
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  const of = (rule: string) => violations.filter((violation) => violation.rule === rule).length;
  const wrong = { lost: of('lost') + of('never-ended'), 'committed twice': of('changed') + of('went-back') };
  const ledger = {
    executions: history.ended,
    ...wrong,
    'leaked leases': leases,
    leftovers: leftovers.length,
    ours,
    retried,
  };
  context.diagnostic(JSON.stringify({ ...ledger, ...counts, seconds }));
  for (const [said, times] of [...failures, ...refusals]) context.diagnostic(`${times} × ${said}`);
  noteInLedger('coordinators', { ...ledger, ...counts, seed: testSeed, seconds });
  assert.deepEqual(violations.slice(0, 5), [], `seed ${testSeed}`);
  // Whoever can't be answered now is told so and may ask again; nothing else goes wrong on our side.
  const odd = [...refusals.keys()].filter((refusal) => !/^(429|503) /.test(refusal));
  assert.deepEqual(odd, [], `seed ${testSeed}`);
  const isRefused = [...refusals.keys()].some((refusal) => refusal.startsWith('503 state-store-unavailable'));
  assert.ok(isRefused, 'without its database nobody takes what must be durable');
  assert.equal(leases, 0);
  assert.deepEqual(leftovers, [], `seed ${testSeed}`);
  assert.ok(history.ended >= wanted);
  assert.ok(ours <= wanted * 0.02, `${ours} failures of ours`);
});
