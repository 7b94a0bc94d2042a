/**
 * Owns the proof that the playground of an instance with keys asks for one in a real browser: which keys do, where one is kept, and what becomes of what was
 * written when it is refused meanwhile. Needs no root.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from '../support/chromium.ts';
import { operatorsKey, runnersKey, setPlaygroundStage } from '../support/playground-stage.ts';

const quoted = JSON.stringify;
const refusal = `document.querySelector('.refusal')?.textContent`;
const isIn = `document.querySelector('.panel .cm-content') !== null`;

test('a key that does is let in, is nowhere but in the page, and when it is revoked what was written stays', async (t) => {
  const endings: (() => unknown)[] = [];
  t.after(async () => {
    for (const end of endings) await end();
  });
  const place = { after: (ending: () => unknown) => endings.unshift(ending) };
  const stage = await setPlaygroundStage(place, true);
  const page = await openPage(place, 'about:blank');
  const heard = await page.listen();
  const logIn = async (key: string) => {
    await page.until(`document.querySelector('.login') !== null`);
    await page.evaluate(
      `document.querySelector('#key').value = ${quoted(key)}, document.querySelector('.login').requestSubmit()`,
    );
  };
  await page.open(`${stage.coordinator.url}/playground/`);
  await logIn('no-key-at-all');
  assert.match(await page.until(refusal), /No tenant has this key/);
  const authorization = { authorization: `Bearer ${operatorsKey}` };
  const makeKey = async (scope: string) => {
    const asked = { name: scope, scopes: [scope] };
    const answer = await stage.coordinator.ask('POST', '/v1/tenants/runner/keys', asked, authorization);
    return (await answer.json()) as { id: string; key: string };
  };
  await logIn((await makeKey('environments')).key);
  assert.match(await page.until(`/may not run/.test(${refusal}) && ${refusal}`), /scope 'execute'/);
  const { id, key } = await makeKey('execute');
  await logIn(key);
  await page.until(isIn);
  await page.evaluate(`document.querySelector('#stdin').value = 'not to be lost'`);
  await page.evaluate(`document.querySelector('.act .strong').click()`);
  assert.equal(await page.until(`document.querySelector('.headline')?.textContent`), 'It ran to its end.');
  // Without a key in the address there is nothing to lead to.
  assert.equal(await page.evaluate(`document.querySelector('.record a[href^="../v1"]')`), null);
  const kept = await page.evaluate<string[]>(
    '[location.href, document.cookie, JSON.stringify(sessionStorage), JSON.stringify(localStorage)]',
  );
  for (const text of [...kept, ...heard.asked]) assert.ok(!text.includes(key), text);
  const gone = await stage.coordinator.ask('DELETE', `/v1/tenants/runner/keys/${id}`, undefined, authorization);
  assert.equal(gone.status, 200);
  await page.evaluate(`document.querySelector('.act .strong').click()`);
  assert.match(await page.until(refusal), /No tenant has this key/);
  await page.evaluate(`document.querySelector('#keep').checked = true`);
  await logIn(runnersKey);
  await page.until(isIn);
  assert.equal(await page.evaluate(`document.querySelector('#stdin').value`), 'not to be lost');
  await page.open(`${stage.coordinator.url}/playground/`);
  await page.until(isIn);
  await page.evaluate(`[...document.querySelectorAll('#banner button')].at(-1).click()`);
  await page.until(`document.querySelector('.login') !== null`);
  assert.equal(await page.evaluate('JSON.stringify(sessionStorage)'), '{}', 'who leaves leaves nothing');
  assert.deepEqual(
    heard.said.filter((said) => !/status of (401|403)/.test(said)),
    [],
  );
});
