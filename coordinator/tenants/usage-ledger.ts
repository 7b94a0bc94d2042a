/**
 * Owns what tenants use in a day, on its way into the store: added up here, written in batches. Never refuses anything.
 * Invariants: a batch is written until that is known to have worked, under the same number, so that it counts once; a crash loses what is not written
 * yet, at most `usageFlushMs` and what the store was away for.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { DayUsage, UsageStore } from '../executions/tenant-store.ts';
import { utcDayOf } from './build-quota.ts';

/** What a ledger needs. */
export interface UsageLedgerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: UsageStore;
  /** Of this process, and of no other. */
  readonly writer: string;
}

type Amounts = Omit<DayUsage, 'tenantId' | 'day'>;

const nothing: Amounts = { executions: 0, cpuMs: 0, wallMs: 0, storedBytes: 0 };

function sum(a: Amounts, b: Amounts): Amounts {
  return {
    executions: a.executions + b.executions,
    cpuMs: a.cpuMs + b.cpuMs,
    wallMs: a.wallMs + b.wallMs,
    storedBytes: Math.max(a.storedBytes, b.storedBytes),
  };
}

/** Times of every report within what an execution's answer says of its scripts, tests and checks. */
function timesWithin(value: unknown): { cpuMs: number; wallMs: number } {
  if (value === null || typeof value !== 'object') return { cpuMs: 0, wallMs: 0 };
  const { usage } = value as { readonly usage?: { readonly cpuTimeMs?: unknown; readonly wallTimeMs?: unknown } };
  if (typeof usage?.cpuTimeMs === 'number' && typeof usage.wallTimeMs === 'number')
    return { cpuMs: usage.cpuTimeMs, wallMs: usage.wallTimeMs };
  let [cpuMs, wallMs] = [0, 0];
  for (const part of Object.values(value)) {
    const times = timesWithin(part);
    cpuMs += times.cpuMs;
    wallMs += times.wallMs;
  }
  return { cpuMs, wallMs };
}

/** What the scripts of an execution took, without those that built its environment. */
export function timesOf({ compile, run, tests }: Execution): { cpuMs: number; wallMs: number } {
  const { cpuMs, wallMs } = timesWithin([compile, run, tests]);
  return { cpuMs: Math.round(cpuMs), wallMs: Math.round(wallMs) };
}

/** See the head of this file. */
export class UsageLedger {
  readonly #deps: UsageLedgerDeps;
  readonly #flushMs: number;
  #pending = new Map<string, DayUsage>();
  #sending: readonly DayUsage[] | null = null;
  #number = 0;
  #flushing: Promise<void> = Promise.resolve();
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(deps: UsageLedgerDeps, options: { usageFlushMs: number }) {
    this.#deps = deps;
    this.#flushMs = options.usageFlushMs;
  }

  /** An execution is over. */
  ended(tenantId: string, answer: Execution): void {
    this.#add(tenantId, { ...nothing, executions: 1, ...timesOf(answer) });
  }

  /** So much is stored for a tenant now. */
  stored(tenantId: string, storedBytes: number): void {
    this.#add(tenantId, { ...nothing, storedBytes });
  }

  #add(tenantId: string, amounts: Amounts): void {
    const day = utcDayOf(this.#deps.clock.nowMs());
    const key = `${day} ${tenantId}`;
    this.#pending.set(key, { tenantId, day, ...sum(this.#pending.get(key) ?? nothing, amounts) });
    if (this.#isStopped) return;
    this.#timer ??= this.#deps.clock.after(this.#flushMs, () => {
      this.#timer = null;
      void this.flush();
    });
  }

  /** What is not known to be written yet, by day. */
  unwritten(tenantId: string): DayUsage[] {
    return [...(this.#sending ?? []), ...this.#pending.values()].filter((each) => each.tenantId === tenantId);
  }

  /** Writes what there is; never rejects, and tries again by itself. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    const { clock, store, log, writer } = this.#deps;
    if (this.#sending === null) {
      if (this.#pending.size === 0) return;
      this.#sending = [...this.#pending.values()];
      this.#pending = new Map();
      this.#number += 1;
    }
    const { length: tenants } = this.#sending;
    try {
      await store.add(writer, this.#number, this.#sending, clock.nowMs());
      this.#sending = null;
    } catch (error) {
      log.warn({ reason: toSystemError(error).message, tenants }, 'usage not written yet');
      if (!this.#isStopped) this.#timer ??= clock.after(this.#flushMs, () => this.#tryAgain());
    }
  }

  #tryAgain(): void {
    this.#timer = null;
    void this.flush().then(() => this.flush());
  }

  /** Writes what there is, once more. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.flush();
    await this.flush();
  }
}

/** Days in which the same is said once, newest first. */
export function mergeDays(days: readonly DayUsage[]): DayUsage[] {
  const byDay = new Map<string, DayUsage>();
  for (const each of days) byDay.set(each.day, { ...each, ...sum(byDay.get(each.day) ?? nothing, each) });
  return [...byDay.values()].sort((a, b) => (a.day < b.day ? 1 : -1));
}
