/**
 * Owns coordinators and agents that are replaced one by one under load: no request fails. Clients ask through a balancer that believes /readyz, as
 * an operator's does; agents are scripted, and finish what they hold when their connection moves.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../../ops/local/private-instance.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { storeBase } from '../support/base-builds.ts';
import { checkedFetch } from '../support/checked-fetch.ts';
import type { CoordinatorProcess } from '../support/coordinator-process.ts';
import { Coordinators, simpleRequest, untilOver } from '../support/coordinators.ts';
import { JoinedAgent } from '../support/joined-agent.ts';
import { makeResult } from '../support/lease-results.ts';
import { ScriptedAgent } from '../support/scripted-agent.ts';

const POLL_MS = 100;

/** Knows who is ready, as a load balancer does. */
class Balancer {
  readonly #members: () => readonly CoordinatorProcess[];
  #ready: readonly CoordinatorProcess[] = [];
  #turn = 0;
  #isOver = false;

  constructor(members: () => readonly CoordinatorProcess[]) {
    this.#members = members;
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      const asked = await Promise.all(
        this.#members().map(async (member) => {
          const answer = await checkedFetch(`${member.url}/readyz`).catch(() => null);
          await answer?.arrayBuffer();
          return answer?.status === 200 ? [member] : [];
        }),
      );
      this.#ready = asked.flat();
      await wait(POLL_MS);
    }
  }

  next(): CoordinatorProcess {
    const member = this.#ready[this.#turn++ % this.#ready.length];
    if (member === undefined) throw new Error('nobody is ready');
    return member;
  }

  get isReady(): boolean {
    return this.#ready.length > 0;
  }

  stop(): void {
    this.#isOver = true;
  }
}

/** An agent that is there again at another coordinator when its connection ends; what it was given meanwhile it finishes there. */
class MovingAgent {
  readonly #urls: () => readonly string[];
  readonly #token: string;
  #socket: ScriptedAgent | null = null;
  #isOver = false;
  #agentId: string | null = null;
  #keys: ScriptedAgent['keys'] | null = null;

  constructor(urls: () => readonly string[], token: string) {
    this.#urls = urls;
    this.#token = token;
  }

  async run(): Promise<void> {
    for (let turn = 0; !this.#isOver; turn += 1) {
      const urls = this.#urls();
      const agent = new ScriptedAgent(urls[turn % urls.length] ?? '', {
        ...(this.#agentId === null ? { token: this.#token } : { agentId: this.#agentId }),
        ...(this.#keys === null ? {} : { keys: this.#keys }),
        slots: 4,
        offered: ({ lease, fence }, self) => {
          self.say({ type: 'lease.accepted', lease });
          setTimeout(() => {
            const message = { type: 'lease.completed' as const, lease, fence, result: makeResult() };
            if (self.socket.readyState === self.socket.OPEN) self.say(message);
          }, 30);
        },
      });
      this.#socket = agent;
      this.#keys = agent.keys;
      agent.socket.on('error', () => undefined);
      const welcomed = agent.heard('session.welcome').then(({ agentId }) => {
        this.#agentId = agentId;
      });
      welcomed.catch(() => undefined);
      await agent.closed.catch(() => undefined);
      await wait(20);
    }
  }

  stop(): void {
    this.#isOver = true;
    this.#socket?.socket.terminate();
  }
}

/** What coordinators say of requests that they could not pass on, and of each other. */
function whyNot({ all }: Coordinators): string {
  const told = new Set([
    'request not passed on',
    'peer not reached',
    'shards taken',
    'shards lost',
    'coordinator stopping',
  ]);
  const lines = all.flatMap(({ url, log }) =>
    log.filter(({ msg }) => told.has(msg)).map((line) => ({ at: url, ...line })),
  );
  return lines.map((line) => JSON.stringify(line)).join('\n');
}

test('coordinators are replaced one by one under load, and no request fails', async (t) => {
  const variables = { DRAIN_NOTICE_MS: '1500', DRAIN_MS_MAX: '10000', MEMBER_TTL_MS: '5000' };
  const coordinators = await Coordinators.prepare(t, { tenants: ['one', 'two', 'three'], variables });
  const ports = [await freePort(), await freePort(), await freePort()];
  const members: CoordinatorProcess[] = [];
  const startMember = async (index: number) => {
    members[index] = await coordinators.start({ LISTEN_PORT: String(ports[index]) });
  };
  for (const index of ports.keys()) await startMember(index);
  const operator = coordinators.as('operator', members[0] as CoordinatorProcess);
  const agents: MovingAgent[] = [];
  for (let count = 0; count < 2; count += 1) {
    const { body } = await operator.post<{ token: string }>('/v1/agents/enrolments', {});
    agents.push(new MovingAgent(() => members.map(({ url }) => url), body.token));
  }
  const balancer = new Balancer(() => members);
  const running = [balancer.run(), ...agents.map((agent) => agent.run())];
  t.after(async () => {
    balancer.stop();
    for (const agent of agents) agent.stop();
    await Promise.all(running);
  });
  while (!balancer.isReady) await wait(10);
  const warm = await coordinators.as('one', balancer.next()).post('/v1/executions?wait=20', simpleRequest);
  assert.equal(warm.status, 200);

  let isOver = false;
  const counts = { waited: 0, keyed: 0, accepted: 0 };
  const ask = async (number: number) => {
    for (let count = 0; !isOver; count += 1) {
      const tenant = ['one', 'two', 'three'][count % 3] as string;
      const api = coordinators.as(tenant, balancer.next());
      const way = (number + count) % 3;
      const headers: Record<string, string> = way === 1 ? { 'idempotency-key': `${number}-${count}` } : {};
      const path = way === 2 ? '/v1/executions' : '/v1/executions?wait=30';
      const { status, body } = await api.post<Execution>(path, simpleRequest, headers);
      assert.equal(status, way === 2 ? 202 : 200, `${JSON.stringify(body)} ${whyNot(coordinators)}`);
      if (way === 2) {
        counts.accepted += 1;
        // Whoever asks again asks whom the balancer knows to be ready by then.
        const over = await untilOver(() => coordinators.as(tenant, balancer.next()), body.id);
        assert.equal(over.verdict, 'ok');
      } else {
        assert.equal(body.verdict, 'ok', JSON.stringify(body));
        counts[way === 1 ? 'keyed' : 'waited'] += 1;
      }
    }
  };
  const replace = async () => {
    for (const index of ports.keys()) {
      await wait(500);
      assert.equal(await members[index]?.end('SIGTERM'), 0);
      await startMember(index);
      await members[index]?.logged(({ msg }) => msg === 'peer reached');
      await wait(500);
    }
  };
  const end = () => {
    isOver = true;
  };
  await Promise.all([...Array.from({ length: 6 }, (_, number) => ask(number).finally(end)), replace().finally(end)]);
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.waited > 20 && counts.keyed > 20 && counts.accepted > 20, JSON.stringify(counts));
});

test('agents are replaced one by one under load, and no request fails', async (t) => {
  const coordinators = await Coordinators.prepare(t, { tenants: ['one'] });
  coordinators.services.script = await storeBase(new DirectoryObjectStore(join(coordinators.folder, 'store')));
  const members = [await coordinators.start(), await coordinators.start()];
  const urls = members.map(({ url }) => `${url.replace('http', 'ws')}/agents`).join();
  const agents = await Promise.all(
    ['rolling0', 'rolling1'].map((name) =>
      JoinedAgent.prepare(coordinators, members[0] as CoordinatorProcess, name, { COORDINATOR_URL: urls, SLOTS: '2' }),
    ),
  );
  await Promise.all(agents.map((agent) => agent.start()));
  let isOver = false;
  let count = 0;
  const ask = async (number: number) => {
    for (let turn = number; !isOver; turn += 1) {
      const api = coordinators.as('one', members[turn % 2] as CoordinatorProcess);
      const { status, body } = await api.post<Execution>('/v1/executions?wait=30', simpleRequest);
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual([body.verdict, body.run?.stdout], ['ok', 'hello\n'], JSON.stringify(body));
      count += 1;
    }
  };
  const replace = async () => {
    for (let round = 0; round < 3; round += 1) {
      for (const agent of agents) {
        await wait(300);
        assert.equal(await agent.end('SIGTERM'), 0);
        await agent.start();
      }
    }
  };
  const end = () => {
    isOver = true;
  };
  await Promise.all([...Array.from({ length: 4 }, (_, number) => ask(number).finally(end)), replace().finally(end)]);
  t.diagnostic(`${count} executions`);
  assert.ok(count > 50, `${count} executions`);
});
