/**
 * Owns who is logged in: asks for an operator's key, tries it, and forgets it at logout. The key is in memory, or in the tab's own storage if its user
 * wishes so; never in an address or a cookie. Invariant: a key that the API refuses is not kept.
 */
import { Api, ApiError } from './api.ts';
import { make } from './elements.ts';

const PLACE = 'envicutor-console-key';

/** The key that this tab keeps, if it does. */
export function keptKey(): string | null {
  return sessionStorage.getItem(PLACE);
}

/** Nobody is logged in any more. */
export function forgetKey(): void {
  sessionStorage.removeItem(PLACE);
}

/** Why a key does not do, for whoever typed it. */
export function toRefusal(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  if (error.status === 401) return 'No tenant has this key. It may have been revoked, or mistyped.';
  if (error.status === 403) return `This key may not operate the instance: ${error.message}.`;
  return `${error.message}.`;
}

/** Does this key operate the instance? Rejects with why not. */
async function tryKey(key: string): Promise<Api> {
  if (!/^[!-~]+$/.test(key)) throw new ApiError(401, 'unauthenticated', 'a key has no such characters');
  const api = new Api(key);
  await api.get('/v1/instance/queues', new AbortController().signal);
  return api;
}

/** The form; `entered` is called with the API once a key was taken. `because`: why somebody is asked again. */
export function makeLogin(entered: (api: Api) => void, because: string): HTMLElement {
  const key = make('input', {
    ...{ id: 'key', type: 'password', autocomplete: 'off', spellcheck: 'false', required: '' },
    'aria-describedby': 'refusal',
  });
  const keep = make('input', { id: 'keep', type: 'checkbox' });
  const refusal = make('p', { id: 'refusal', class: 'refusal', role: 'alert' }, because);
  const submit = make('button', { type: 'submit', class: 'strong' }, 'Log in');
  const form = make(
    'form',
    { class: 'login' },
    make('h1', {}, 'Operator’s console'),
    make('p', { class: 'lead' }, 'Log in with a key of an operator whose scopes have operate.'),
    make('label', { for: 'key' }, 'Key'),
    key,
    make('label', { class: 'check', for: 'keep' }, keep, ' Keep it until this tab is closed'),
    refusal,
    submit,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit.disabled = true;
    const typed = key.value.trim();
    tryKey(typed)
      .then((api) => {
        if (keep.checked) sessionStorage.setItem(PLACE, typed);
        entered(api);
      })
      .catch((error: unknown) => {
        forgetKey();
        refusal.textContent = toRefusal(error);
        submit.disabled = false;
        key.setAttribute('aria-invalid', 'true');
        key.focus();
      });
  });
  return form;
}
