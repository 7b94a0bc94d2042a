/**
 * Owns the proof that the operator's console works in a real browser: Debian's Chromium against a whole coordinator with scripted agents. Who may log in,
 * what each view shows of the running instance, that it changes while somebody looks, and that names and logs stay text. Needs no root.
 * Pictures of every view are in a temporary folder, which the ledger names; nothing compares them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findBrokenRules } from '../support/axe-rules.ts';
import { type ChromiumPage, openPage } from '../support/chromium.ts';
import { hostile, operatorKey, setConsoleStage, tenantKey } from '../support/console-stage.ts';
import { dullTexts } from '../support/dull-texts.ts';
import { noteInLedger } from '../support/ledger.ts';
import { findUnnamed } from '../support/unnamed-controls.ts';

const endings: (() => unknown)[] = [];
const place = { after: (ending: () => unknown) => endings.unshift(ending) };
let stage: Awaited<ReturnType<typeof setConsoleStage>>;
let page: ChromiumPage;
let heard: Awaited<ReturnType<ChromiumPage['listen']>>;
let ids: { good: string; bad: string; environment: string; provenance: string };

before(async () => {
  stage = await setConsoleStage(place);
  const [good, bad] = [await stage.execute('true'), await stage.execute('fail')];
  ids = { good: good.id, bad: bad.id, environment: (await stage.build()).id, provenance: await stage.state() };
  page = await openPage(place, 'about:blank');
  heard = await page.listen();
});
after(async () => {
  for (const end of endings) await end();
});

const quoted = JSON.stringify;
const logIn = async (key: string) => {
  await page.until(`document.querySelector('.login')`);
  await page.evaluate(
    `document.querySelector('#key').value = ${quoted(key)}, document.querySelector('.login').requestSubmit()`,
  );
};
/** Goes to a view; resolves when this expression is true. */
const visit = async <Value>(view: string, expression: string) => {
  await page.evaluate(`location.hash = ${quoted(`#/${view}`)}`);
  await page.until(`document.querySelector('main').dataset.view === ${quoted(`#/${view}`)}`);
  return await page.until<Value>(expression);
};
const rowOf = (text: string) =>
  `[...document.querySelectorAll('tbody tr')].find((row) => row.textContent.includes(${quoted(text)}))`;
const refusal = `document.querySelector('.refusal')?.textContent`;

test('a wrong key is told so, one that may not operate is told what it lacks, and the right one is let in', async () => {
  await page.prefer(1280, 'light');
  await page.open(`${stage.coordinator.url}/console/`);
  await logIn('no-key-at-all');
  assert.match(await page.until(refusal), /No tenant has this key/);
  await logIn(tenantKey);
  assert.match(await page.until(`/operate/.test(${refusal}) && ${refusal}`), /tenant 'one' does not operate/);
  await logIn(await stage.narrowKey());
  assert.match(await page.until(`/scope/.test(${refusal}) && ${refusal}`), /scope 'operate'; key \S+ has execute/);
  await logIn(operatorKey);
  await page.until(`document.querySelector('.state')?.textContent === 'Live'`);
  assert.equal(await page.evaluate('document.querySelector("h1").textContent'), 'Overview');
});

test('the key is in no address, no cookie, and no storage unless its user wishes so', async () => {
  const kept = await page.evaluate<string[]>(
    '[location.href, document.cookie, JSON.stringify(sessionStorage), JSON.stringify(localStorage)]',
  );
  for (const text of [...kept, ...heard.asked]) assert.ok(!text.includes(operatorKey), text);
});

test('the fleet shows agents with slots, pool and version, and one that is drained changes while somebody looks', async () => {
  const row = await visit<string[]>(
    'fleet',
    `${rowOf('beta')} && [...${rowOf('beta')}.cells].map((cell) => cell.textContent)`,
  );
  assert.match(await page.evaluate(`document.querySelector('tbody').textContent`), /1 clean, 1 dirty/);
  assert.match(row.join('|'), /^beta.*\|lab\|ready\|0 of 2\|0\|test\|/);
  await page.evaluate(`${rowOf('beta')}.marked = true, ${rowOf('beta')}.querySelector('button').click()`);
  await page.until(`document.querySelector('dialog[open]')`);
  await page.evaluate(`document.querySelector('dialog .strong').click()`);
  await page.until(`${rowOf('beta')}?.textContent.includes('draining')`);
  assert.equal(await page.evaluate(`${rowOf('beta')}.marked`), true, 'the row is the same element');
  await stage.other.heard('agent.drain');
  assert.match(await page.evaluate(`document.querySelector('#news').textContent`), /beta is draining/);
  // By somebody else.
  const [known] = (await stage.coordinator.state.agents.list()).filter(({ name }) => name === 'beta');
  await stage.coordinator.ask('POST', `/v1/agents/${known?.id}/resume`, undefined, {
    authorization: `Bearer ${operatorKey}`,
  });
  await page.until(`${rowOf('beta')}?.cells[2].textContent === 'ready'`);
  stage.other.report(5);
  await page.until(`${rowOf('beta')}?.textContent.includes('0 of 5')`);
});

test('names of agents and what builds say are text, whatever they hold', async () => {
  const name = await visit<string>(
    'fleet',
    `document.querySelector('.name') && [...document.querySelectorAll('.name')].map((each) => each.textContent).find((each) => each.includes('img'))`,
  );
  assert.equal(name, hostile);
  const log = await visit<string>(
    `environments/one/${ids.environment}`,
    `document.querySelector('.log')?.textContent.includes('progress') && document.querySelector('.log').textContent`,
  );
  assert.ok(log.includes(`${hostile}\nprogress 2\n`), log);
  assert.ok(!log.includes('\u001b') && !log.includes('building setup'), 'the build is held');
  assert.equal(await page.evaluate(`document.querySelector('.facts').textContent.includes('it goes on')`), true);
  stage.letGo();
  await page.until(`document.querySelector('.log').textContent.includes('building setup')`);
  await page.until(`document.querySelector('.facts').textContent.includes('ready')`);
  const materials = await visit<string>(
    `provenance/${encodeURIComponent(ids.provenance)}`,
    `document.querySelector('tbody tr')?.textContent`,
  );
  assert.ok(materials.startsWith(`http://origin.test/${hostile}GET`), materials);
  assert.deepEqual(await page.evaluate(`[document.images.length, document.title.includes('markup')]`), [0, false]);
});

test('queues show tenants with weight and what they began; the overview says what is taken', async () => {
  const row = await visit<string>('queues', `${rowOf('one')}?.textContent`);
  assert.match(row, /^one3/);
  assert.equal(await page.evaluate(`document.querySelectorAll('tbody tr').length`), 3);
  const figures = await visit<string>(
    'overview',
    `document.querySelector('.figures li') && document.querySelector('.figures').textContent`,
  );
  assert.match(figures, /Agents ready2/);
});

test('the cache shows layers, and pinning one is seen', async () => {
  await visit('cache', `document.querySelector('tbody tr')`);
  await page.evaluate(`document.querySelector('tbody button').click()`);
  await page.until(`document.querySelector('dialog[open]')`);
  await page.evaluate(`document.querySelector('dialog .strong').click()`);
  await page.until(`[...document.querySelectorAll('tbody tr')].some((row) => row.textContent.includes('pinned'))`);
});

test("an execution's timeline adds up, says what was used of its limits, and shows nothing that its program wrote", async () => {
  await visit('executions', rowOf(ids.bad.slice(0, 12)));
  const shown = await visit<string>(
    `executions/${ids.good}`,
    `document.querySelector('.timeline') && document.querySelector('main').textContent`,
  );
  assert.match(shown, /execute240 ms/);
  assert.match(shown, /mount4.0 ms/);
  assert.match(shown, /Timesclean/);
  assert.ok(!shown.includes('what nobody else sees'));
  const widths = await page.evaluate<number[]>(
    `[...document.querySelectorAll('.piece')].map((each) => Number(each.style.flexGrow))`,
  );
  assert.ok(Math.abs(widths.reduce((sum, each) => sum + each, 0) - 1) < 1e-3);
  const seen = await visit<string>(
    `executions/exec_none`,
    `/no execution/.test(document.querySelector('.detail')?.textContent) && document.querySelector('.detail').textContent`,
  );
  assert.match(seen, /There is no execution exec_none/);
});

test('by keyboard alone: to the content, into the fleet, sorted, drained and not', async () => {
  await visit('fleet', rowOf('beta'));
  await page.evaluate(`document.querySelector('th button').focus()`);
  await page.press('Enter');
  assert.equal(await page.until(`document.querySelector('th[aria-sort]')?.getAttribute('aria-sort')`), 'ascending');
  await page.evaluate(`${rowOf('beta')}.querySelector('button').focus()`);
  await page.press('Enter');
  await page.until(`document.querySelector('dialog[open]')?.contains(document.activeElement)`);
  await page.press('Escape');
  await page.until(`document.querySelector('dialog') === null`);
  assert.equal(await page.evaluate(`document.activeElement.getAttribute('aria-label')`), 'Drain beta');
  const outline = await page.evaluate<string>(`getComputedStyle(document.activeElement).outlineStyle`);
  assert.equal(outline, 'solid');
});

const views = () => [
  ...['overview', 'fleet', 'queues', 'environments', 'cache', 'executions'],
  ...[
    `executions/${ids.good}`,
    `environments/one/${ids.environment}`,
    `provenance/${encodeURIComponent(ids.provenance)}`,
  ],
];

test('every view fits a phone and a desk in light and dark, stands out from its ground, and names its controls', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-console-'));
  noteInLedger('pictures of the console', { in: folder });
  t.diagnostic(`pictures are in ${folder}`);
  for (const width of [390, 1280])
    for (const colours of ['light', 'dark'] as const) {
      await page.prefer(width, colours);
      for (const view of views()) {
        await visit(
          view,
          `document.querySelector('.state').textContent === 'Live' && document.querySelector('main tr, main li, main dl')`,
        );
        const name = `${view.replaceAll('/', '-').replace(/[_%].*/, '')}-${width}-${colours}`;
        await page.picture(join(folder, `${name}.png`));
        const [wide, window] = await page.evaluate<[number, number]>(
          '[document.documentElement.scrollWidth, innerWidth]',
        );
        assert.ok(wide <= window, `${name}: ${wide} of ${window}`);
        assert.deepEqual(await page.evaluate(dullTexts), [], name);
        assert.deepEqual(await page.evaluate(findUnnamed), [], name);
        if (width > 1000) assert.deepEqual(await findBrokenRules(page), [], name);
      }
    }
});

test('a page that nobody answers says so and is live again when somebody does; a hidden one asks nothing', async () => {
  const isKind = (kind: string) => `document.querySelector('.state[data-kind=${kind}]')?.textContent`;
  await visit('queues', isKind('live'));
  await page.evaluate(`globalThis.asked = 0, globalThis.answered = fetch,
    globalThis.fetch = () => { asked += 1; return Promise.reject(new TypeError('down')); }`);
  assert.match(await page.until(isKind('lost')), /Not live: the coordinator does not answer/);
  await page.evaluate(`Object.defineProperty(document, 'hidden', { value: true, configurable: true }),
    document.dispatchEvent(new Event('visibilitychange'))`);
  assert.equal(await page.until(isKind('paused')), 'Paused');
  await page.evaluate(`globalThis.fetch = answered, delete document.hidden,
    document.dispatchEvent(new Event('visibilitychange'))`);
  assert.equal(await page.until(isKind('live')), 'Live');
});

test('whoever has a key that is revoked meanwhile is asked for another', async () => {
  const authorization = { authorization: `Bearer ${operatorKey}` };
  const keys = '/v1/tenants/operator/keys';
  const asked = { name: 'for a while', scopes: ['operate'] };
  const { id, key } = await (await stage.coordinator.ask('POST', keys, asked, authorization)).json();
  await page.evaluate(`document.querySelector('#banner > button').click()`);
  await logIn(key);
  await page.until(`document.querySelector('.state')?.textContent === 'Live'`);
  assert.equal((await stage.coordinator.ask('DELETE', `${keys}/${id}`, undefined, authorization)).status, 200);
  assert.match(await page.until(refusal), /No tenant has this key/);
  await logIn(operatorKey);
  await page.until(`document.querySelector('.state')?.textContent === 'Live'`);
});

test('who logs out is asked for a key again, and nothing of the instance is left in the page', async () => {
  await page.evaluate(`[...document.querySelectorAll('#banner button')].at(-1).click()`);
  await page.until(`document.querySelector('.login')`);
  assert.ok(!(await page.evaluate<string>('document.body.textContent')).includes('beta'));
  await page.prefer(1280, 'light');
  assert.deepEqual(await page.evaluate(findUnnamed), []);
  assert.deepEqual(await page.evaluate(dullTexts), []);
  assert.deepEqual(await findBrokenRules(page), []);
});

test('the page asks nobody but its own origin, and complains of nothing but what it was refused', () => {
  const { url } = stage.coordinator;
  assert.deepEqual(
    heard.asked.filter((asked) => !asked.startsWith(url) && !asked.startsWith('data:') && asked !== 'about:blank'),
    [],
  );
  assert.deepEqual(
    heard.said.filter((said) => !/status of (401|403|404)/.test(said)),
    [],
  );
});
