/**
 * Owns what operators see of all tenants at once: queues, executions, environments. Never holds what a program wrote or was given.
 * Invariant: of an execution or environment it says what its tenant is told, and whose it is.
 */
import { type Static, Type } from '@sinclair/typebox';
import { stages } from '../lifecycle/execution.ts';
import { AgentUse } from './agent-use.ts';
import { Closed, Nullable, OneOf, Timestamp } from './closed.ts';
import { Environment } from './environment.ts';
import { Execution, Timing } from './execution.ts';
import { ExecutionVerdict } from './judging.ts';
import { PlacementAnswer } from './placement.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });
const tenant = Type.String({ description: 'Whose it is.' });

const TenantQueue = Closed(
  {
    tenant: Type.String({ description: 'Its id.' }),
    weight: Type.Number({ description: 'Share in relation to others.' }),
    waiting: count('Executions that wait.'),
    running: count('Executions that run.'),
    share: Type.Number({ minimum: 0, maximum: 1, description: 'Part of all that run.' }),
    begunInMinute: count('Executions that have begun in this minute of the clock.'),
    forecastMs: Type.Number({
      minimum: 0,
      description: 'How long one more would wait, by what is known; milliseconds.',
    }),
    refused: Closed(
      {
        rate: count('It asked too often.'),
        queue: count('Too many of its executions waited, or of all.'),
        time: count('It could not have been served in time.'),
      },
      { description: 'How often it was refused since the start of this coordinator.' },
    ),
  },
  { title: 'TenantQueue', description: 'What of a tenant waits and runs.' },
);
export type TenantQueue = Static<typeof TenantQueue>;

/** See the head of this file. */
export const InstanceQueues = Closed(
  {
    waiting: count('Executions that wait, of all tenants.'),
    waitingMax: count('How many may.'),
    running: count('Leases that are out.'),
    slots: Closed(
      { total: count('Of all connected agents.'), free: count('Of them, free now.') },
      { description: 'Where executions run.' },
    ),
    builds: count('Environments that are being built.'),
    items: Type.Array(TenantQueue, { description: 'Those with most that waits or runs first; a thousand at most.' }),
    itemsNotShown: count('How many tenants more there are.'),
  },
  {
    title: 'InstanceQueues',
    description:
      'What waits and runs, by tenant, at the coordinator that answers: each knows the tenants that it answers for.',
  },
);
export type InstanceQueues = Static<typeof InstanceQueues>;

/** A row of a listing. */
export const InstanceExecution = Closed(
  {
    id: Type.String({ description: '`exec_…`' }),
    tenant,
    stage: OneOf(stages, { description: 'Where it is.' }),
    verdict: Nullable(ExecutionVerdict, { description: 'Null: there is none yet, or never will be one.' }),
    agent: Nullable(AgentUse, { description: 'Who runs it or ran it.' }),
    timing: Timing,
    clean: Nullable(Type.Union([Type.Boolean(), Type.Literal('unprovable')]), {
      description: 'What its timing certificate says; null: it has none.',
    }),
    createdAt: Timestamp,
    finishedAt: Nullable(Timestamp, { description: 'Null: it goes on.' }),
  },
  { title: 'InstanceExecution', description: 'An execution of any tenant, in short.' },
);
export type InstanceExecution = Static<typeof InstanceExecution>;

/** One of them. */
export const InstanceExecutionDetail = Closed(
  {
    tenant,
    execution: Execution,
    placement: Nullable(PlacementAnswer, { description: 'Why it is where it is; null: that is not remembered.' }),
  },
  {
    title: 'InstanceExecutionDetail',
    description:
      'An execution of any tenant, without what its scripts wrote: that is between its tenant and the instance.',
  },
);
export type InstanceExecutionDetail = Static<typeof InstanceExecutionDetail>;

/** An environment, and whose it is. */
export const InstanceEnvironment = Closed(
  { tenant, environment: Environment },
  { title: 'InstanceEnvironment', description: 'An environment of any tenant.' },
);
export type InstanceEnvironment = Static<typeof InstanceEnvironment>;

/** What the execution says without what its scripts wrote; tests tell nothing of their texts either. */
export function withoutOutput(execution: Execution): Execution {
  const hide = (report: Execution['run']): Execution['run'] =>
    report === null ? null : { ...report, stdout: '', stderr: '' };
  const hideEach = ({
    setup,
    dependencies,
    verify,
    compile,
  }: Pick<Execution, 'setup' | 'dependencies' | 'verify' | 'compile'>) => ({
    ...{ setup: hide(setup), dependencies: hide(dependencies), verify: hide(verify), compile: hide(compile) },
  });
  const { check } = execution;
  return {
    ...execution,
    ...hideEach(execution),
    ...{ run: hide(execution.run), metadata: {} },
    check: check === null ? null : { ...check, ...hideEach(check) },
    tests: [],
  };
}
