/**
 * Owns the row of stages that an execution goes through, with the one where it is. Never decides where it is.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import { make } from '../foundation/elements.ts';

type Stage = Execution['stage'];

/** In the order in which most go through them; what is over is the last. */
const steps: readonly (readonly [Stage, string])[] = [
  ['queued', 'Waiting'],
  ['building', 'Building'],
  ['preparing', 'Preparing'],
  ['running', 'Running'],
  ['finished', 'Done'],
];
const lastWords: Readonly<Partial<Record<Stage, string>>> = { cancelled: 'Cancelled', failed: 'Failed' };

/** See the head of this file. */
export class StagesView {
  readonly root = make('ol', { class: 'stages', 'aria-label': 'Where it is', hidden: '' });
  #passed = new Set<Stage>();

  /** Nothing has begun. */
  clear(): void {
    this.#passed = new Set();
    this.root.hidden = true;
  }

  show(stage: Stage): void {
    this.#passed.add(stage);
    this.root.hidden = false;
    const isOver = stage === 'finished' || stage in lastWords;
    this.root.replaceChildren(
      ...steps.map(([step, name]) => {
        const isLast = step === 'finished';
        const isNow = step === stage || (isLast && isOver);
        const kind = isNow ? (isOver ? 'over' : 'now') : this.#passed.has(step) ? 'passed' : 'open';
        const word = isLast ? (lastWords[stage] ?? name) : name;
        return make('li', { class: kind, ...(isNow ? { 'aria-current': 'step' } : {}) }, word);
      }),
    );
  }
}
