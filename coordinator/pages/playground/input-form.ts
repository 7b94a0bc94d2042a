/**
 * Owns what a program is given besides its files: standard input, arguments, limits. Never runs it.
 */
import type { Limits } from '../../../shared/model/limits.ts';
import { make } from '../foundation/elements.ts';
import { toLine, toWords } from './argument-words.ts';
import { LimitsForm } from './limits-form.ts';

/** What was given. */
export interface ProgramInput {
  readonly stdin: string;
  readonly arguments: readonly string[];
  readonly compileLimits: Limits;
  readonly runLimits: Limits;
}

/** See the head of this file. */
export class InputForm {
  readonly root: HTMLElement;
  readonly #stdin: HTMLTextAreaElement;
  readonly #arguments: HTMLInputElement;
  readonly #compile: LimitsForm;
  readonly #run: LimitsForm;
  readonly #limits: HTMLDetailsElement;

  constructor(changed: () => void) {
    this.#stdin = make('textarea', { id: 'stdin', rows: '3', spellcheck: 'false', autocomplete: 'off' });
    this.#arguments = make('input', { id: 'arguments', type: 'text', spellcheck: 'false', autocomplete: 'off' });
    for (const control of [this.#stdin, this.#arguments]) control.addEventListener('input', changed);
    this.#run = new LimitsForm('While it runs', 'run', changed);
    this.#compile = new LimitsForm('While it compiles', 'compile', changed);
    const hint = make('p', { class: 'hint' }, 'What is empty is as usual here.');
    this.#limits = make('details', {}, make('summary', {}, 'Limits'), hint, this.#run.root, this.#compile.root);
    this.root = make(
      'div',
      { class: 'input' },
      makeField('stdin', 'Standard input', '/run/stdin', this.#stdin),
      makeField('arguments', 'Arguments', '/run/arguments', this.#arguments),
      this.#limits,
    );
  }

  get input(): ProgramInput {
    return {
      ...{ stdin: this.#stdin.value, arguments: toWords(this.#arguments.value) },
      ...{ compileLimits: this.#compile.limits, runLimits: this.#run.limits },
    };
  }

  /** Where a limit stands that is no amount; null: nowhere. */
  get unreadable(): string | null {
    return (this.#run.unreadable ?? this.#compile.unreadable)?.id.replace(/^(\w+)-/, '/$1/limits/') ?? null;
  }

  show({ stdin, arguments: words, compileLimits, runLimits }: ProgramInput): void {
    this.#stdin.value = stdin;
    this.#arguments.value = toLine(words);
    this.#compile.show(compileLimits);
    this.#run.show(runLimits);
  }

  /** Is there a compile script, so that its limits mean something? */
  showCompiled(isCompiled: boolean): void {
    this.#compile.root.hidden = !isCompiled;
  }
}

function makeField(id: string, title: string, pointer: string, control: HTMLElement): HTMLElement {
  return make('div', { class: 'field', 'data-pointer': pointer }, make('label', { for: id }, title), control);
}
