/**
 * Owns taking up what was accepted and not finished, before a restart or by another coordinator. Never decides what becomes of it.
 * Invariants: what is to be taken up is here from the moment its record was read, so that a shard which is lost meanwhile takes it along and is not
 * given up as idle; a store that is away for a moment ends nothing.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { RequestFiles } from '../files/request-files.ts';
import { hadSecrets, type OpenedEnvironments, openEnvironments } from './environment-wait.ts';
import { LiveExecution } from './live-execution.ts';
import type { LiveExecutions } from './live-executions.ts';
import { shardOf } from './shard-store.ts';
import type { ExecutionStore } from './state-store.ts';

/** What taking up needs. */
export interface ResumptionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: Pick<ExecutionStore, 'unfinished'>;
  readonly shards: { isKept(shard: number): boolean };
  readonly environments: Pick<EnvironmentService, 'open'>;
  readonly files: Pick<RequestFiles, 'holdAgain'>;
}

/** Who goes on with it. */
export interface ResumptionUser {
  isStopped(): boolean;
  begin(execution: LiveExecution, opened: OpenedEnvironments): void;
  fail(execution: LiveExecution, cause: SystemError): void;
}

/** Takes up what is left in these shards and is not here; SystemError `state-store-unavailable` when some of it could not be: again, then. */
export async function resumeUnfinished(
  shards: readonly number[],
  { clock, log, store, shards: keeper, environments, files }: ResumptionDeps,
  live: LiveExecutions,
  user: ResumptionUser,
): Promise<void> {
  const executions: LiveExecution[] = [];
  for (const { tenantId, answer, request } of await store.unfinished(shards)) {
    const id = answer.id as ExecutionId;
    // The shard may be somebody else's since it was read.
    if (live.has(id) || !keeper.isKept(shardOf(tenantId))) continue;
    const terms = { tenantId, request, isDurable: true, isStreamed: true };
    executions.push(new LiveExecution(clock, id, terms, answer.createdAt));
  }
  for (const execution of executions) live.expect(execution);
  let postponed: SystemError | null = null;
  for (const execution of executions) {
    const { tenantId, request } = execution.terms;
    try {
      execution.files = await files.holdAgain(execution);
      if (hadSecrets(request))
        throw new SystemError('build-failed', 'the secrets of its environment were lost in a restart');
      if (execution.terminal !== null)
        throw new SystemError('terminal-lost', 'its coordinator was restarted or replaced');
      const isMeant = () => !execution.isAbandoned && !user.isStopped();
      const opened = isMeant() ? await openEnvironments(environments, tenantId, request, execution.id) : null;
      if (opened === null || !isMeant()) {
        execution.files.release(null);
        continue;
      }
      log.info({ executionId: execution.id, tenantId }, 'execution taken up again');
      user.begin(execution, opened);
    } catch (error) {
      const cause = toSystemError(error);
      execution.files.release(null);
      if (cause.code === 'state-store-unavailable') {
        live.forget(execution);
        postponed = cause;
      } else if (!execution.isAbandoned) user.fail(execution, cause);
    }
  }
  if (postponed !== null) throw postponed;
}
