/**
 * Owns telling the coordinator what has ended at this site, until it says that it has it. Never decides what is kept (site-records).
 * Invariants: one message is on its way at a time, and none is larger than a handful of shortened answers; what is not answered is said again.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { type AgentMessage, ENDED_EXECUTIONS_MAX, type EndedExecution } from '../../shared/protocol/agent-messages.ts';
import type { Received } from '../connection/session.ts';
import type { Ended, SiteRecords } from './site-records.ts';

/** What it needs. */
export interface SiteNewsNeeds {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly records: Pick<SiteRecords, 'untold' | 'ended' | 'told' | 'refused' | 'retell'>;
  /** False when the coordinator is away. */
  readonly send: (message: AgentMessage) => boolean;
}

/** Of each stream; all of it is at the agent. */
const OUTPUT_CHARACTERS_MAX = 16_384;
const ANSWER_MS_MAX = 10_000;
/** A tenant that changes its mind is not in a hurry, and a link may come and go. */
const RETELL_MS = 3_600_000;

/** See the head of this file. */
export class SiteNews {
  readonly #needs: SiteNewsNeeds;
  #isUnderstood = false;
  #areTestsUnderstood = false;
  #isTelling = false;
  #isMore = false;
  #retoldAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;

  constructor(needs: SiteNewsNeeds) {
    this.#needs = needs;
  }

  /** There is a connection. */
  welcomed(understood: readonly string[]): void {
    this.#isUnderstood = understood.includes('executions.ended');
    this.#areTestsUnderstood = understood.includes('order.tests');
    const nowMs = this.#needs.clock.monotonicMs();
    if (nowMs - this.#retoldAtMs >= RETELL_MS) {
      this.#retoldAtMs = nowMs;
      this.#needs.records.retell();
    }
    this.#timer?.cancel();
    this.#timer = null;
    this.tell();
  }

  /** Tells what is to be told, unless something is on its way already. */
  tell(): void {
    if (!this.#isUnderstood || this.#timer !== null) return;
    this.#isMore = true;
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#tellAll().catch((error: unknown) => {
      this.#needs.logger.error({ detail: String(error) }, 'executions of a site not told');
    });
  }

  /** What comes while something is being read is looked for again. */
  async #tellAll(): Promise<void> {
    try {
      while (this.#isMore && this.#timer === null) {
        this.#isMore = false;
        await this.#tell();
      }
    } finally {
      this.#isTelling = false;
    }
  }

  async #tell(): Promise<void> {
    const { records, clock, send } = this.#needs;
    const executions: EndedExecution[] = [];
    for (const id of records.untold(ENDED_EXECUTIONS_MAX)) {
      const ended = await records.ended(id);
      if (ended !== null) executions.push(toEndedExecution(ended, this.#areTestsUnderstood));
    }
    if (executions.length === 0 || !send({ type: 'executions.ended', executions })) return;
    this.#timer = clock.after(ANSWER_MS_MAX, () => {
      this.#timer = null;
      this.tell();
    });
  }

  /** The coordinator's answer. */
  recorded({ executions, refused }: Received<'executions.recorded'>): void {
    const { records, logger } = this.#needs;
    for (const id of executions) {
      records.told(id).catch((error: unknown) => {
        logger.error({ executionId: id, detail: String(error) }, 'not written down that an execution is recorded');
      });
    }
    for (const { executionId, code, detail } of refused) {
      logger.warn({ executionId, code, detail }, 'the coordinator refuses an execution of this site');
      records.refused(executionId);
    }
    this.#timer?.cancel();
    this.#timer = null;
    // What could be recorded neither now nor be refused waits for its time.
    if (executions.length > 0 || refused.length > 0) this.tell();
    else this.#timer = this.#needs.clock.after(ANSWER_MS_MAX, () => this.#again());
  }

  #again(): void {
    this.#timer = null;
    this.tell();
  }

  stop(): void {
    this.#isUnderstood = false;
    this.#timer?.cancel();
    this.#timer = null;
  }
}

/** An answer as the coordinator is told it. */
export function toEndedExecution({ tenantId, answer }: Ended, areTestsUnderstood = true): EndedExecution {
  const { id: executionId, stage, verdict, endedIn, environment, timing, failure, metadata, createdAt } = answer;
  return {
    ...{ executionId, tenantId, verdict, endedIn, environment, timing, failure, metadata, createdAt },
    stage: stage as EndedExecution['stage'],
    compile: answer.compile === null ? null : toShortReport(answer.compile),
    run: answer.run === null ? null : toShortReport(answer.run),
    ...(areTestsUnderstood && answer.tests.length > 0
      ? { tests: answer.tests.map(toShortTest), score: answer.score }
      : {}),
    finishedAt: answer.finishedAt ?? createdAt,
  };
}

function toShortTest({ name, outcome, check }: TestResult): TestResult {
  return {
    name,
    outcome,
    report: null,
    check: check === null ? null : { message: '', score: check.score, report: null },
  };
}

function toShortReport(report: Report): Report {
  const { stdout, stderr, stdoutTruncated, stderrTruncated } = report;
  const [out, err] = [toShortText(stdout), toShortText(stderr)];
  return {
    ...report,
    ...{ stdout: out, stdoutTruncated: stdoutTruncated || out.length < stdout.length },
    ...{ stderr: err, stderrTruncated: stderrTruncated || err.length < stderr.length },
  };
}

/** Cut where base64 may be cut, and not within a pair of surrogates. */
function toShortText(text: string): string {
  if (text.length <= OUTPUT_CHARACTERS_MAX) return text;
  const cut = text.slice(0, OUTPUT_CHARACTERS_MAX);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}
