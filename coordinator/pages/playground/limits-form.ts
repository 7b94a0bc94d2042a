/**
 * Owns the fields of one script's limits. Never knows what is too much: the API refuses that, and its sentence names the most that the operator allows.
 */
import type { Limits } from '../../../shared/model/limits.ts';
import { make } from '../foundation/elements.ts';
import { fromFieldText, limitFields, toFieldText, withLimit } from './limit-fields.ts';

/** See the head of this file. */
export class LimitsForm {
  readonly root: HTMLElement;
  readonly #inputs = new Map<string, HTMLInputElement>();
  #limits: Limits = {};

  constructor(title: string, script: 'compile' | 'run', changed: () => void) {
    const fields = limitFields.map((field) => {
      const { name, label, unit } = field;
      const id = `${script}-${name}`;
      const input = make('input', {
        id,
        type: 'text',
        inputmode: 'decimal',
        autocomplete: 'off',
        placeholder: 'usual',
      });
      this.#inputs.set(name, input);
      input.addEventListener('input', () => {
        const amount = fromFieldText(field, input.value);
        if (amount === null) input.setAttribute('aria-invalid', 'true');
        else input.removeAttribute('aria-invalid');
        this.#limits = withLimit(this.#limits, name, amount ?? undefined);
        changed();
      });
      const caption = make(
        'label',
        { for: id },
        label,
        unit === '' ? '' : make('span', { class: 'unit' }, ` (${unit})`),
      );
      return make('div', { class: 'limit', 'data-pointer': `/${script}/limits/${name}` }, caption, input);
    });
    this.root = make('fieldset', { class: 'limits' }, make('legend', {}, title), ...fields);
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** A field whose text is no amount; null: there is none. */
  get unreadable(): HTMLInputElement | null {
    const wrong = limitFields.find((field) => fromFieldText(field, this.#inputs.get(field.name)?.value ?? '') === null);
    return (wrong && this.#inputs.get(wrong.name)) ?? null;
  }

  show(limits: Limits): void {
    this.#limits = limits;
    for (const field of limitFields) {
      const input = this.#inputs.get(field.name);
      if (input === undefined) continue;
      input.value = toFieldText(field, limits[field.name]);
      input.removeAttribute('aria-invalid');
    }
  }
}
