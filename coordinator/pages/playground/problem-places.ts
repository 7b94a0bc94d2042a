/**
 * Owns showing what the API refused at the field that it is about: each field says by `data-pointer` where it stands in a request. Never words a refusal.
 * Invariant: what no field stands for is given back, so that nothing that was refused stays unsaid.
 */
import type { ProblemPlace } from '../foundation/api.ts';
import { make } from '../foundation/elements.ts';
import { toFieldDetail } from './limit-fields.ts';

const controls = 'input, textarea, select, [contenteditable="true"]';

/** Takes away what was shown of the request before. */
export function clearProblems(form: HTMLElement): void {
  for (const said of form.querySelectorAll('.problem')) said.remove();
  for (const field of form.querySelectorAll('[data-problem]')) {
    field.removeAttribute('data-problem');
    const control = field.querySelector(controls);
    control?.removeAttribute('aria-invalid');
    control?.removeAttribute('aria-describedby');
  }
}

/** The field that a pointer is about, or that holds what it is about. */
function fieldOf(form: HTMLElement, pointer: string): HTMLElement | null {
  const fields = [...form.querySelectorAll<HTMLElement>('[data-pointer]')].filter((field) => {
    const own = field.dataset['pointer'] ?? '';
    return pointer === own || pointer.startsWith(`${own}/`);
  });
  const length = (field: HTMLElement) => field.dataset['pointer']?.length ?? 0;
  return fields.sort((one, other) => length(other) - length(one))[0] ?? null;
}

/** Shows each at its field, goes to the first of them, and gives back those that have none. */
export function showProblems(form: HTMLElement, places: readonly ProblemPlace[]): ProblemPlace[] {
  const left: ProblemPlace[] = [];
  let first: HTMLElement | null = null;
  for (const [at, place] of places.entries()) {
    const field = fieldOf(form, place.pointer);
    if (field === null) {
      left.push(place);
      continue;
    }
    const own = field.dataset['pointer'] ?? '';
    const inside = place.pointer.slice(own.length + 1);
    const id = `problem-${at}`;
    const detail = toFieldDetail(place.pointer, place.detail);
    field.append(make('p', { class: 'refusal problem', id }, `${inside === '' ? 'It' : inside} ${detail}.`));
    field.dataset['problem'] = 'true';
    const control = field.querySelector<HTMLElement>(controls);
    control?.setAttribute('aria-invalid', 'true');
    control?.setAttribute('aria-describedby', id);
    for (let each = field.parentElement; each !== null; each = each.parentElement)
      if (each instanceof HTMLDetailsElement) each.open = true;
    first ??= control ?? field;
  }
  first?.focus();
  return left;
}
