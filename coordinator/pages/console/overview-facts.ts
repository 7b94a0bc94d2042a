/**
 * Owns what the first view says of an instance: its figures, and what wants somebody. Pure; never asks for anything.
 * Invariant: what is no concern is not said.
 */
import type { AgentList } from '../../../shared/model/agent-record.ts';
import type { InstanceExecution, InstanceQueues } from '../../../shared/model/instance-view.ts';
import { toKind } from './certificates.ts';

/** As `/readyz` answers. */
export interface Readiness {
  readonly state: string;
  readonly problems: readonly { readonly requirement: string; readonly detail: string }[];
}

/** Everything that it is made of. */
export interface OverviewFacts {
  readonly readiness: Readiness;
  readonly queues: InstanceQueues;
  readonly agents: AgentList['items'];
  readonly executions: readonly InstanceExecution[];
}

/** What wants somebody, each as a sentence and where it is seen. */
export function findConcerns({
  readiness,
  queues,
  agents,
  executions,
}: OverviewFacts): { text: string; href: string }[] {
  const concerns = readiness.problems.map(({ requirement, detail }) => ({
    ...{ text: `${requirement} does not answer: ${detail}`, href: '#/overview' },
  }));
  const say = (count: number, one: string, many: string, href: string) => {
    if (count > 0) concerns.push({ text: `${count} ${count === 1 ? one : many}`, href });
  };
  const gone = agents.filter(({ state }) => state === 'disconnected').length;
  say(gone, 'agent is disconnected', 'agents are disconnected', '#/fleet');
  const failed = executions.filter(({ stage }) => stage === 'failed').length;
  say(
    failed,
    `of the newest executions failed by our own fault`,
    'of the newest executions failed by our own fault',
    '#/executions',
  );
  const refused = queues.items.filter(({ refused: { rate, queue, time } }) => rate + queue + time > 0).length;
  say(refused, 'tenant was refused something', 'tenants were refused something', '#/queues');
  if (queues.slots.total > 0 && queues.slots.free === 0 && queues.waiting > 0)
    concerns.push({ text: `${queues.waiting} executions wait and no slot is free`, href: '#/queues' });
  return concerns;
}

/** The numbers at the top: what, how many, and a word beside it. */
export function toFigures({ queues, agents, executions }: OverviewFacts): [string, string, string, string][] {
  const of = (state: string) => agents.filter((agent) => agent.state === state).length;
  const kinds = executions.flatMap(({ clean }) => (clean === null ? [] : [toKind(clean)]));
  const clean = kinds.filter((kind) => kind === 'clean').length;
  const { running, waiting, waitingMax, slots, builds } = queues;
  return [
    ['Slots taken', String(slots.total - slots.free), `of ${slots.total}`, '#/fleet'],
    ['Running', String(running), 'executions', '#/executions'],
    ['Waiting', String(waiting), `of at most ${waitingMax}`, '#/queues'],
    ['Builds', String(builds), 'environments now', '#/environments'],
    ['Agents ready', String(of('ready')), `${of('draining')} draining, ${of('disconnected')} disconnected`, '#/fleet'],
    ['Clean times', String(clean), `of ${kinds.length} certificates`, '#/executions'],
  ];
}
