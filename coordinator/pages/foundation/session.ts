/**
 * Owns who is logged in: asks for a key, tries it, and forgets it at logout. The key is in memory, or in the tab's own storage if its user
 * wishes so; never in an address or a cookie. Invariant: a key that the API refuses is not kept.
 */
import { Api, ApiError } from './api.ts';
import { make } from './elements.ts';

/** What a page asks a key for. */
export interface LoginTerms {
  /** Under which the tab keeps it. */
  readonly place: string;
  readonly title: string;
  readonly lead: string;
  /** Why a key that is somebody's does not do; before the API's own sentence. */
  readonly forbidden: string;
  /** Asks what only a key that does is answered; rejects with why not. */
  readonly attempt: (api: Api) => Promise<unknown>;
}

/** The key that this tab keeps, if it does. */
export function keptKey({ place }: LoginTerms): string | null {
  return sessionStorage.getItem(place);
}

/** Nobody is logged in any more. */
export function forgetKey({ place }: LoginTerms): void {
  sessionStorage.removeItem(place);
}

/** Why a key does not do, for whoever typed it. */
export function toRefusal({ forbidden }: LoginTerms, error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  if (error.status === 401) return 'No tenant has this key. It may have been revoked, or mistyped.';
  if (error.status === 403) return `${forbidden}: ${error.message}.`;
  return `${error.message}.`;
}

/** Does this key do? Rejects with why not. */
async function tryKey(terms: LoginTerms, key: string): Promise<Api> {
  if (!/^[!-~]+$/.test(key)) throw new ApiError(401, 'unauthenticated', 'a key has no such characters');
  const api = new Api(key);
  await terms.attempt(api);
  return api;
}

/** The form; `entered` is called with the API once a key was taken. `because`: why somebody is asked again. */
export function makeLogin(terms: LoginTerms, entered: (api: Api) => void, because: string): HTMLElement {
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
    make('h1', {}, terms.title),
    make('p', { class: 'lead' }, terms.lead),
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
    tryKey(terms, typed)
      .then((api) => {
        if (keep.checked) sessionStorage.setItem(terms.place, typed);
        entered(api);
      })
      .catch((error: unknown) => {
        forgetKey(terms);
        refusal.textContent = toRefusal(terms, error);
        submit.disabled = false;
        key.setAttribute('aria-invalid', 'true');
        key.focus();
      });
  });
  return form;
}
