/**
 * Owns the process that offers load: told a schedule by its parent, it sends each submission at its time whatever came back, and tells what became
 * of each. A process of its own, so that its processor time is known and nothing of the planner delays it.
 * Never waits for an answer before it sends the next one. Invariant: every arrival has one record, also one that was never sent.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Execution } from '../../../shared/model/execution.ts';
import type { GeneratorAnswer, GeneratorOrder, OfferRecord } from './orders.ts';
import { CPU_TOKEN } from './orders.ts';

const GIVE_UP_LATE_MS = 5000;

/** What an answer says, for the record. */
function readAnswer(statusCode: number, text: string): Partial<OfferRecord> {
  if (statusCode === 429 || statusCode === 503) return { outcome: 'refused', detail: text.slice(0, 300) };
  if (statusCode !== 200) return { outcome: 'failed', detail: `${statusCode} ${text.slice(0, 300)}` };
  const { stage, verdict, run, compile, timing, failure, environment } = JSON.parse(text) as Execution;
  if (stage !== 'finished') return { outcome: 'failed', detail: `${stage}: ${failure?.detail ?? 'no reason'}` };
  const reports = [compile, run].flatMap((report) => (report === null ? [] : [report]));
  return {
    outcome: 'served',
    verdict,
    cpuTimeMs: reports.reduce((sum, { usage }) => sum + usage.cpuTimeMs, 0),
    wallTimeMs: reports.reduce((sum, { usage }) => sum + usage.wallTimeMs, 0),
    memoryPeakBytes: Math.max(0, ...reports.map(({ usage }) => usage.memoryPeakBytes)),
    diskBytes: Math.max(0, ...reports.map(({ usage }) => usage.diskBytes)),
    queuedMs: timing.queuedMs,
    fetchMs: timing.fetchMs,
    environmentId: environment?.id ?? null,
  };
}

class Generator {
  readonly #order: GeneratorOrder;
  readonly #pool: Pool;
  readonly #records: OfferRecord[];
  readonly #abort = new AbortController();
  #inFlight = 0;
  #isStopped = false;
  #startMs = 0;

  constructor(order: GeneratorOrder) {
    this.#order = order;
    this.#pool = new Pool(order.url, { connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
    this.#records = order.arrivals.map(({ atMs, environment }) => ({
      ...{ intendedMs: atMs, sentMs: null, doneMs: null, environment, outcome: 'unsent' },
    }));
  }

  stop(): void {
    this.#isStopped = true;
    this.#abort.abort();
  }

  async run(): Promise<GeneratorAnswer> {
    const { arrivals, graceMs, inFlightMax } = this.#order;
    const used = process.cpuUsage();
    this.#startMs = performance.now();
    const sent: Promise<void>[] = [];
    for (const [index, { atMs }] of arrivals.entries()) {
      while (!this.#isStopped && this.#nowMs() < atMs) await pause(Math.max(1, Math.min(atMs - this.#nowMs(), 100)));
      if (this.#isStopped) break;
      // What can not be sent any more in its time is not sent at all: it counts against what was achieved.
      if (this.#inFlight >= inFlightMax || this.#nowMs() - atMs > GIVE_UP_LATE_MS) continue;
      sent.push(this.#send(index));
    }
    const all = Promise.all(sent);
    const offeredMs = this.#nowMs();
    const cpuUsed = process.cpuUsage(used);
    await Promise.race([all, pause(graceMs, undefined, { ref: false })]);
    this.#abort.abort();
    await all;
    await this.#pool.destroy();
    return { records: this.#records, isCut: this.#isStopped, offeredMs, cpuMs: (cpuUsed.user + cpuUsed.system) / 1000 };
  }

  #nowMs(): number {
    return performance.now() - this.#startMs;
  }

  async #send(index: number): Promise<void> {
    const [arrival, record] = [this.#order.arrivals[index], this.#records[index]];
    if (arrival === undefined || record === undefined) return;
    const template = this.#order.templates[arrival.environment] ?? '';
    const body = template.replace(CPU_TOKEN, String(Math.round((arrival.cpuTimeMs ?? 0) * 1000)));
    record.sentMs = this.#nowMs();
    record.outcome = 'unanswered';
    this.#inFlight += 1;
    try {
      const { headers } = this.#order;
      const path = '/v1/executions?wait=true';
      const answer = await this.#pool.request({ method: 'POST', path, body, headers, signal: this.#abort.signal });
      const text = await answer.body.text();
      record.doneMs = this.#nowMs();
      Object.assign(record, readAnswer(answer.statusCode, text));
    } catch (error) {
      if (!this.#abort.signal.aborted) Object.assign(record, { outcome: 'failed', detail: String(error) });
    } finally {
      this.#inFlight -= 1;
    }
  }
}

let generator: Generator | null = null;
process.on('message', (message: GeneratorOrder | 'stop') => {
  if (message === 'stop') {
    generator?.stop();
    return;
  }
  generator = new Generator(message);
  void generator.run().then((answer) => process.send?.(answer));
});
// Ctrl-C reaches the whole group of a terminal: the parent decides what becomes of us.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
