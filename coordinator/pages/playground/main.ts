/**
 * The playground's page: a key where the API needs one, what there is to choose from, the request that a link or this tab holds. Never runs anything: the
 * playground does when it is told. Invariant: whoever's key is refused is asked for another; a key is in this tab's own storage or nowhere.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { Api, ApiError } from '../foundation/api.ts';
import { make, makeButton } from '../foundation/elements.ts';
import { isKeyed, makePageLinks, place } from '../foundation/page-frame.ts';
import { forgetKey, keptKey, type LoginTerms, makeLogin, toRefusal } from '../foundation/session.ts';
import { Playground } from './playground.ts';
import { readDraft } from './shared-draft.ts';

const terms: LoginTerms = {
  place: 'envicutor-playground-key',
  title: 'Playground',
  lead: 'Log in with a key of yours whose scopes have execute.',
  forbidden: 'This key may not run programs',
  attempt: (api) => api.get('/v1/executions?limit=1', new AbortController().signal),
};
/** Where the tab keeps what is written, so that loading the page again loses nothing. */
const DRAFT = 'envicutor-playground-draft';

const [banner, main] = ['banner', 'main'].map(place) as [HTMLElement, HTMLElement];
let shown: Playground | null = null;

function showBanner(isIn: boolean): void {
  const title = make('p', { class: 'brand' }, 'Envicutor ', make('span', {}, 'Playground'));
  const leave = isIn && isKeyed ? [makeButton('Log out', () => logOut(''))] : [];
  banner.replaceChildren(title, make('span', { class: 'gap' }), ...makePageLinks('playground'), ...leave);
}

async function enter(api: Api): Promise<void> {
  showBanner(true);
  main.replaceChildren(make('p', { class: 'lead' }, 'Asking what there is.'));
  try {
    const { signal } = new AbortController();
    const [recipes, bases] = await Promise.all([
      api.get<{ items: Recipe[] }>('/v1/recipes', signal),
      api.get<{ items: { name: string }[] }>('/v1/bases', signal),
    ]);
    const offers = { recipes: recipes.items, bases: bases.items.map(({ name }) => name) };
    shown = new Playground(api, offers, refuse);
    main.replaceChildren(shown.root);
    restore(shown);
    await shown.openLink(location.hash);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401 && refuse(error)) return;
    const text = error instanceof Error ? error.message : String(error);
    const again = makeButton('Try again', () => enter(api));
    main.replaceChildren(make('h1', {}, 'Playground'), make('p', { class: 'lead' }, `It can’t begin: ${text}.`), again);
  }
}

function restore(playground: Playground): void {
  const kept = sessionStorage.getItem(DRAFT);
  if (kept === null) return;
  const draft = readDraft(JSON.parse(kept));
  if (typeof draft !== 'string') playground.show(draft);
}

function refuse(error: ApiError): boolean {
  if (isKeyed) logOut(toRefusal(terms, error));
  return isKeyed;
}

function logOut(because: string): void {
  // Whoever's key was refused goes on with what is written; who leaves takes it along.
  if (because === '') sessionStorage.removeItem(DRAFT);
  else keep();
  shown?.leave();
  shown = null;
  forgetKey(terms);
  showBanner(false);
  main.replaceChildren(makeLogin(terms, (api) => void enter(api), because));
  place('key').focus();
}

function keep(): void {
  if (shown === null) return;
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify(shown.draft));
  } catch {
    // What is larger than the tab's storage is not kept.
    sessionStorage.removeItem(DRAFT);
  }
}

addEventListener('pagehide', keep);
addEventListener('hashchange', () => void shown?.openLink(location.hash));

const kept = keptKey(terms);
if (!isKeyed) await enter(new Api(null));
else if (kept !== null) await enter(new Api(kept));
else logOut('');
