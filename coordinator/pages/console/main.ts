/**
 * The console's page: login, the views by the address's fragment, and whether what is shown is live. Never shows data itself: the views do.
 * Invariant: one view is shown and asked at a time; whoever's key is refused is asked for another.
 */
import { Api, ApiError } from '../foundation/api.ts';
import { make, makeButton, setText } from '../foundation/elements.ts';
import { isKeyed, makePageLinks, News, place } from '../foundation/page-frame.ts';
import { forgetKey, keptKey, type LoginTerms, makeLogin, toRefusal } from '../foundation/session.ts';
import { CacheView } from './cache-view.ts';
import { EnvironmentsView } from './environments-view.ts';
import { ExecutionsView } from './executions-view.ts';
import { FleetView } from './fleet-view.ts';
import { Live, type LiveState } from './live.ts';
import { OverviewView } from './overview-view.ts';
import { ProvenanceView } from './provenance-view.ts';
import { QueuesView } from './queues-view.ts';
import type { Surroundings, View } from './view.ts';

const views: Readonly<Record<string, new (surroundings: Surroundings, rest: readonly string[]) => View>> = {
  overview: OverviewView,
  fleet: FleetView,
  queues: QueuesView,
  environments: EnvironmentsView,
  cache: CacheView,
  executions: ExecutionsView,
  provenance: ProvenanceView,
};
/** Reached from others alone. */
const unlisted = new Set(['provenance']);

const terms: LoginTerms = {
  place: 'envicutor-console-key',
  title: 'Operator’s console',
  lead: 'Log in with a key of an operator whose scopes have operate.',
  forbidden: 'This key may not operate the instance',
  attempt: (api) => api.get('/v1/instance/queues', new AbortController().signal),
};

const [banner, main] = ['banner', 'main'].map(place) as [HTMLElement, HTMLElement];
const news = new News(place('news'));
const tell = (text: string): void => news.tell(text);
const state = make('span', { class: 'state' });
let shown: { readonly view: View; readonly live: Live } | null = null;

function toWords(address: string): string[] {
  return address
    .replace(/^#\/?/, '')
    .split('/')
    .map((word) => {
      try {
        return decodeURIComponent(word);
      } catch {
        return word;
      }
    });
}

function leave(): void {
  shown?.live.stop();
  shown?.view.leave?.();
  shown = null;
}

function tellState(now: LiveState): void {
  state.dataset['kind'] = now.kind;
  if (now.kind === 'lost') {
    const { error } = now;
    if (isKeyed && error instanceof ApiError && error.status === 401) logOut(toRefusal(terms, error));
    else setText(state, `Not live: ${error instanceof Error ? error.message : String(error)}`);
  } else setText(state, now.kind === 'live' ? 'Live' : 'Paused');
}

function show(api: Api): void {
  leave();
  const [name = '', ...rest] = toWords(location.hash);
  const Shown = views[name] ?? OverviewView;
  const view = new Shown({ api, tell, again: () => shown?.live.again() }, rest);
  document.title = `${view.title} · Envicutor console`;
  for (const link of banner.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${views[name] === undefined ? 'overview' : name}`)
      link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  main.replaceChildren(view.root);
  main.dataset['view'] = location.hash;
  state.dataset['kind'] = 'asking';
  setText(state, 'Asking');
  shown = { view, live: new Live((signal) => view.refresh(signal), tellState) };
}

let turned = new AbortController();

function enter(api: Api): void {
  const links = Object.keys(views)
    .filter((name) => !unlisted.has(name))
    .map((name) => make('li', {}, make('a', { href: `#/${name}` }, name.charAt(0).toUpperCase() + name.slice(1))));
  banner.replaceChildren(
    make('p', { class: 'brand' }, 'Envicutor'),
    make('nav', { 'aria-label': 'Views' }, make('ul', {}, ...links)),
    state,
    ...makePageLinks('console'),
    ...(isKeyed ? [makeButton('Log out', () => logOut(''))] : []),
  );
  turned = new AbortController();
  addEventListener(
    'hashchange',
    () => {
      tell('');
      show(api);
      main.focus({ preventScroll: true });
      scrollTo(0, 0);
    },
    { signal: turned.signal },
  );
  show(api);
}

function logOut(because: string): void {
  leave();
  turned.abort();
  forgetKey(terms);
  tell('');
  banner.replaceChildren(make('p', { class: 'brand' }, 'Envicutor'), ...makePageLinks('console'));
  main.replaceChildren(makeLogin(terms, enter, because));
  document.title = 'Log in · Envicutor console';
  place('key').focus();
}

const kept = keptKey(terms);
if (!isKeyed) enter(new Api(null));
else if (kept !== null) enter(new Api(kept));
else logOut('');
