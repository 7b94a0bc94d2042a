/**
 * Owns what clients were told about executions, in the order in which they were told, and finding what can't be true of it: the history checker. Pure.
 * Never asks anybody. The rules are those of a store that commits once: what was accepted ends, one answer is the answer for ever, and nothing goes back.
 */
import type { Execution } from '../../shared/model/execution.ts';

/** What somebody was told about one execution. */
export interface Told {
  readonly id: string;
  readonly tenantId: string;
  /** Null: there is no such execution. */
  readonly answer: Execution | null;
}

/** What is wrong, by its rule. */
export interface Violation {
  readonly rule: 'lost' | 'never-ended' | 'changed' | 'went-back' | 'foreign' | 'two-for-one-key' | 'wrong';
  readonly id: string;
  readonly detail: string;
}

interface Entry {
  readonly tenantId: string;
  readonly key: string;
  final: string | null;
}

/** Everything that was told in one run. */
export class History {
  readonly #entries = new Map<string, Entry>();
  readonly #byKey = new Map<string, string>();
  readonly #violations: Violation[] = [];
  readonly #isRight: (key: string, answer: Execution) => boolean;

  /** `isRight` judges a final answer to what was asked under a key. */
  constructor(isRight: (key: string, answer: Execution) => boolean) {
    this.#isRight = isRight;
  }

  /** Executions that were accepted. */
  get accepted(): number {
    return this.#entries.size;
  }

  /** Executions whose final answer somebody was told. */
  get ended(): number {
    return [...this.#entries.values()].filter(({ final }) => final !== null).length;
  }

  ids(): { readonly id: string; readonly tenantId: string }[] {
    return [...this.#entries].map(([id, { tenantId }]) => ({ id, tenantId }));
  }

  /** A request under this key of a tenant was accepted as this execution. */
  acceptedAs(tenantId: string, key: string, id: string): void {
    const place = `${tenantId} ${key}`;
    const before = this.#byKey.get(place);
    if (before !== undefined && before !== id) this.#note('two-for-one-key', id, `key ${key} was ${before} before`);
    this.#byKey.set(place, id);
    const known = this.#entries.get(id);
    if (known === undefined) this.#entries.set(id, { tenantId, key, final: null });
    else if (known.tenantId !== tenantId) this.#note('foreign', id, `of ${known.tenantId}, given to ${tenantId}`);
  }

  /** Somebody was told this. */
  told({ id, tenantId, answer }: Told): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (answer === null) {
      if (tenantId === entry.tenantId) this.#note('lost', id, 'it was accepted, and now there is none');
      return;
    }
    if (tenantId !== entry.tenantId) this.#note('foreign', id, `of ${entry.tenantId}, shown to ${tenantId}`);
    if (answer.finishedAt === null) {
      if (entry.final !== null) this.#note('went-back', id, `it was over, and is ${answer.stage} now`);
      return;
    }
    const text = JSON.stringify(answer);
    if (entry.final === null) {
      if (!this.#isRight(entry.key, answer)) this.#note('wrong', id, text);
      entry.final = text;
    } else if (entry.final !== text) this.#note('changed', id, `${entry.final} became ${text}`);
  }

  #note(rule: Violation['rule'], id: string, detail: string): void {
    this.#violations.push({ rule, id, detail });
  }

  /** All that is wrong when nothing more will be told. */
  check(): Violation[] {
    const open = [...this.#entries].filter(([, { final }]) => final === null);
    const never = open.map(([id]): Violation => ({ rule: 'never-ended', id, detail: 'nobody was told its end' }));
    return [...this.#violations, ...never];
  }
}
