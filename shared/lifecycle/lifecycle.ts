/**
 * Owns the only way to change a state: a table state -> cause -> state. Idea: graphile/worker's local queue modes.
 * Never knows what a state means; the services that own a state call `next` and persist before they announce.
 */

/** A table of transitions; a state without causes is final. */
export type TransitionTable<State extends string, Cause extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Cause, State>>>>
>;

/** A named state machine. */
export class Lifecycle<State extends string, Cause extends string> {
  readonly name: string;
  readonly #table: TransitionTable<State, Cause>;

  constructor(name: string, table: TransitionTable<State, Cause>) {
    this.name = name;
    this.#table = table;
  }

  /** The state after `cause`; throws when the table does not allow it. */
  next(state: State, cause: Cause): State {
    const to: State | undefined = this.#table[state][cause];
    if (to === undefined) throw new Error(`${this.name}: no way from '${state}' by '${cause}'`);
    return to;
  }

  /** May `cause` happen in `state`? */
  allows(state: State, cause: Cause): boolean {
    return this.#table[state][cause] !== undefined;
  }

  isFinal(state: State): boolean {
    return Object.keys(this.#table[state]).length === 0;
  }

  /** The table as a Mermaid state diagram, for docs/lifecycles.md. */
  toMermaid(): string {
    const lines = ['stateDiagram-v2'];
    for (const [from, causes] of Object.entries(this.#table) as [State, Partial<Record<Cause, State>>][]) {
      for (const [cause, to] of Object.entries(causes) as [Cause, State][]) lines.push(`  ${from} --> ${to}: ${cause}`);
    }
    return lines.join('\n');
  }
}
