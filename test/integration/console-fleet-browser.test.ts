/**
 * Owns the console's view of a fleet of a thousand connected agents in a real browser: all are found, a page of them is shown, and a change of all of
 * them is shown without making a row anew. How long that takes is in the ledger; nothing here asserts a time. Needs no root.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { openPage } from '../support/chromium.ts';
import { operatorKey } from '../support/console-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { noteInLedger } from '../support/ledger.ts';

const AGENTS = 1000;
const AT_ONCE = 50;
const endings: (() => unknown)[] = [];
const place = { after: (ending: () => unknown) => endings.unshift(ending) };
after(async () => {
  for (const end of endings) await end();
});

test('a thousand agents are listed, found, sorted and updated row by row', async (t) => {
  const listed = [{ name: 'k', sha256: digestHex(digestOf(operatorKey)) }];
  const keys = createKeyRing({ tenants: [{ id: 'operator', isOperator: true, keys: listed }] });
  const coordinator = await startCoordinator(place, { reportIntervalMs: 600_000 }, keys);
  const agents: Awaited<ReturnType<typeof coordinator.join>>[] = [];
  while (agents.length < AGENTS) {
    const names = Array.from({ length: AT_ONCE }, (_, index) => `agent-${agents.length + index}`);
    agents.push(...(await Promise.all(names.map((name) => coordinator.join({ name, slots: 2 })))));
  }
  const page = await openPage(place, 'about:blank');
  await page.prefer(1280, 'light');
  await page.open(`${coordinator.url}/console/`);
  await page.until(`document.querySelector('.login')`);
  const kept = `sessionStorage.setItem('envicutor-console-key', ${JSON.stringify(operatorKey)})`;
  await page.evaluate(`${kept}, location.hash = '#/fleet'`);
  await page.open(`${coordinator.url}/console/?again#/fleet`);
  await page.until(`document.querySelectorAll('tbody tr').length === 100`);
  const [paintMs, rowsMs] = await page.evaluate<
    [number, number]
  >(`new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() =>
    resolve([performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1, performance.now()]))))`);
  assert.match(await page.evaluate(`document.querySelector('.count').textContent`), /^1000 agents, 1 to 100 shown$/);

  // Everything that a thousand agents have changes at once.
  await page.evaluate(`document.querySelectorAll('tbody tr').forEach((row) => { row.marked = true; })`);
  await page.evaluate(`new MutationObserver((_, observer) => {
    observer.disconnect();
    const before = performance.now();
    document.body.offsetHeight;
    globalThis.layoutMs = performance.now() - before;
  }).observe(document.querySelector('tbody'), { subtree: true, childList: true, characterData: true }), 0`);
  for (const agent of agents) agent.report(5);
  await page.until(`[...document.querySelectorAll('tbody tr')].every((row) => row.textContent.includes('of 5'))`);
  const updateMs = await page.evaluate<number>(`(() => {
    const [measured] = performance.getEntriesByName('table', 'measure');
    return measured.duration;
  })()`);
  assert.equal(
    await page.evaluate(`[...document.querySelectorAll('tbody tr')].filter((row) => row.marked).length`),
    100,
  );

  const sortMs = await page.evaluate<number>(`(() => {
    const before = performance.now();
    document.querySelector('th button').click();
    document.body.offsetHeight;
    return performance.now() - before;
  })()`);
  const first = await page.evaluate<string>(`document.querySelector('tbody tr .name').textContent`);
  assert.equal(first, 'agent-0');
  await page.evaluate(`(() => {
    const filter = document.querySelector('.filter input');
    filter.value = 'agent-777';
    filter.dispatchEvent(new Event('input'));
  })()`);
  assert.equal(
    await page.until(
      `document.querySelectorAll('tbody tr').length === 1 && document.querySelector('.count').textContent`,
    ),
    '1 of 1000 agents',
  );
  const layoutMs = await page.evaluate<number>('layoutMs');
  const figures = { paintMs, rowsMs, updateMs, layoutMs, sortMs };
  const shown = Object.fromEntries(Object.entries(figures).map(([name, ms]) => [name, Math.round(10 * ms) / 10]));
  noteInLedger(`console of ${AGENTS} agents`, shown);
  t.diagnostic(JSON.stringify(shown));
});
