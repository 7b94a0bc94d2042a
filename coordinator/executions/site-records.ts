/**
 * Owns what agents ran for their own sites while nobody asked us (docs/edge.md): whose it may be, and that its tenant sees it once. Never schedules
 * anything, and never believes an agent about itself: who it is was proven when it connected.
 * Invariants: an agent records for those tenants alone whose entry in the tenants file names it; nothing that we know of an execution of ours is
 * changed; a record is written under the lease of its tenant's shard, by whoever has that.
 */
import { type ErrorCode, SystemError, toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { EndedExecution } from '../../shared/protocol/agent-messages.ts';
import type { SiteRecords } from '../agents/agent-session.ts';
import type { Tenant } from '../tenants/keys.ts';
import type { ShardLease } from './shard-store.ts';
import type { ExecutionStore } from './state-store.ts';

/** The agent that ran it, as answers name it. */
export type SiteAgent = NonNullable<Execution['agent']>;

/** What recording needs. */
export interface SiteRecordingDeps {
  readonly log: Logger;
  readonly store: Pick<ExecutionStore, 'record'>;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
  readonly tenants: (id: string) => Tenant;
  /** Has it recorded by the coordinator that answers for its tenant; null: that is this one. Rejects when it can't be asked. */
  readonly recordElsewhere: (agent: SiteAgent, execution: EndedExecution) => Promise<void> | null;
  /** Is there an execution of ours with this id that has no result yet, or only a remembered one? */
  readonly isLive: (tenantId: string, id: string) => boolean;
}

/** As JSON: an agent shortens what it tells. */
const EXECUTION_BYTES_MAX = 262_144;
/** What another time might not help: the agent is told, and need not repeat it. */
const lasting: readonly ErrorCode[] = ['forbidden', 'conflict', 'body-too-large'];

/** See the head of this file. */
export class SiteRecording {
  readonly #deps: SiteRecordingDeps;

  constructor(deps: SiteRecordingDeps) {
    this.#deps = deps;
  }

  /** What became of each; what is in neither list could not be recorded now. Never rejects. */
  async record({ id, name, pool }: SiteAgent, executions: readonly EndedExecution[]): Promise<SiteRecords> {
    const records: SiteRecords = { executions: [], refused: [] };
    const recordOne = async (execution: EndedExecution) => {
      const { executionId, tenantId } = execution;
      try {
        await this.#place({ id, name, pool }, execution);
        records.executions.push(executionId);
      } catch (thrown) {
        const { code, message: detail } = toSystemError(thrown);
        if (lasting.includes(code)) records.refused.push({ executionId, code, detail });
        this.#deps.log.warn({ executionId, tenantId, agentId: id, code, detail }, 'execution of a site not recorded');
      }
    };
    await Promise.all(executions.map(recordOne));
    return records;
  }

  async #place(agent: SiteAgent, execution: EndedExecution): Promise<void> {
    this.#check(agent, execution);
    await (this.#deps.recordElsewhere(agent, execution) ?? this.recordHere(agent, execution));
  }

  #check(agent: SiteAgent, execution: EndedExecution): void {
    const { tenantId, executionId } = execution;
    const tenant = this.#deps.tenants(tenantId);
    if (tenant.id !== tenantId || tenant.edgeAgents?.includes(agent.id) !== true) {
      throw new SystemError(
        'forbidden',
        `agent ${agent.id} may not record for tenant '${tenantId}'; see edgeAgents in tenantsFile`,
      );
    }
    const bytes = Buffer.byteLength(JSON.stringify(execution));
    if (bytes > EXECUTION_BYTES_MAX)
      throw new SystemError(
        'body-too-large',
        `execution ${executionId} has ${bytes} bytes; ${EXECUTION_BYTES_MAX} are recorded`,
      );
  }

  /** Records for a tenant of ours; SystemError `forbidden`, `conflict`, `shard-moved`, `state-store-unavailable`. */
  async recordHere(agent: SiteAgent, execution: EndedExecution): Promise<void> {
    this.#check(agent, execution);
    const { log, store, shards, isLive } = this.#deps;
    const { tenantId, executionId } = execution;
    const isOurs = isLive(tenantId, executionId);
    const isRecorded = !isOurs && (await store.record(tenantId, toAnswer(agent, execution), shards.leaseFor(tenantId)));
    if (!isRecorded) throw new SystemError('conflict', `there is another execution ${executionId}`);
    log.info({ executionId, tenantId, agentId: agent.id, verdict: execution.verdict }, 'execution of a site recorded');
  }
}

function toAnswer(agent: SiteAgent, { executionId: id, tenantId: _, ...said }: EndedExecution): Execution {
  return {
    ...said,
    ...{ id, agent, attempts: 1, setup: null, dependencies: null, verify: null },
    ...{ tests: said.tests ?? [], check: null, score: said.score ?? null, certificate: null, receipt: null, files: [] },
  };
}
