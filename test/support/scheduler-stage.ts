/**
 * Owns a scheduler for tests: virtual time, agents that say nothing by themselves, and a record of what demands were told. No sockets.
 */
import { Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import { openGate, type PoolGate } from '../../coordinator/pools/pool-gate.ts';
import { Concurrency } from '../../coordinator/scheduler/concurrency.ts';
import { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { Demand, DemandListener } from '../../coordinator/scheduler/scheduler.ts';
import type { SchedulerOptions } from '../../coordinator/scheduler/scheduler-deps.ts';
import { systemRandom } from '../../shared/clock.ts';
import type { CoordinatorMessage, LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { siteOf } from './site-cases.ts';
import { VirtualClock } from './virtual-clock.ts';

type Offer = Extract<CoordinatorMessage, { type: 'lease.offer' }>;

/** Numbers of the scheduler under test. */
export const schedulerOptions = {
  retriesMax: 3,
  leaseTtlMs: 15_000,
  offerTimeoutMs: 5000,
  reconnectGraceMs: 1000,
};
/** A scheduler, and what tests do to it. */
export function setUpScheduler(
  pools: (clock: VirtualClock) => PoolGate = () => openGate,
  concurrency = new Concurrency(() => 0),
  options: SchedulerOptions = schedulerOptions,
) {
  const clock = new VirtualClock();
  const fleet = new Fleet();
  const deps = { clock, random: systemRandom, fleet, pools: pools(clock), concurrency };
  const scheduler = new FairScheduler(deps, options);
  scheduler.start();
  const told: string[] = [];
  const tell = (what: string) => (id: string) => void told.push(`${what} ${id.slice(5)}`);
  const listener: DemandListener = {
    placed: tell('placed'),
    started: tell('started'),
    fetching: tell('fetching'),
    output: tell('output'),
    tested: tell('tested'),
    told: tell('told'),
    requeued: tell('requeued'),
    completed: (id) => void tell('completed')(id),
    gaveUp: (id, { code }) => void told.push(`${code} ${id.slice(5)}`),
  };
  const submit = (name: string, changes: Partial<Demand> = {}) => {
    const order = () => ({ executionId: name }) as LeaseOrderMessage;
    const demand: Demand = {
      executionId: `exec_${name}`,
      tenantId: 't',
      weight: 1,
      kind: 'k',
      durationMsMax: 30_000,
      memoryBytes: 1,
      waitMsMax: 60_000,
      constraints: { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false },
      diskBytes: 0,
      site: siteOf(changes.tenantId ?? 't'),
      layers: [],
      order,
      listener,
      ...changes,
    };
    scheduler.submit(demand);
  };
  const join = (name: string, slots: number, memoryBytes = 1, pool = 'p') => {
    const said: CoordinatorMessage[] = [];
    const facts = {
      name,
      pool,
      labels: {},
      architecture: 'x86_64',
      release: '',
      kernel: '',
      cores: 1,
      memoryBytes,
      exclusiveCores: false,
    };
    const agent = new FleetAgent(
      { id: `agent_${name}`, ...facts },
      { isDraining: false, connectedAtMs: 0, send: (message) => said.push(message) },
    );
    agent.report(slots, []);
    fleet.join(agent);
    scheduler.joined(agent.id);
    scheduler.reported(agent.id, []);
    const offers = () => said.filter((message): message is Offer => message.type === 'lease.offer');
    return { id: agent.id, agent, said, offers, last: () => offers().at(-1) as Offer };
  };
  return { clock, fleet, scheduler, told, submit, join };
}
