/**
 * Owns the proof that the playground works in a real browser: Debian's Chromium against a whole coordinator with a scripted agent. Recipes and own scripts,
 * programs that fail and that don't compile, builds that fail, links, what the API refuses, hostile texts; keyboard, widths, both colours. Needs no root.
 * Pictures are in a temporary folder, which the ledger names; nothing compares them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fromFragment, toFragment } from '../../coordinator/pages/playground/share-link.ts';
import { findBrokenRules } from '../support/axe-rules.ts';
import { type ChromiumPage, openPage } from '../support/chromium.ts';
import { hostile } from '../support/console-stage.ts';
import { dullTexts } from '../support/dull-texts.ts';
import { noteInLedger } from '../support/ledger.ts';
import { setPlaygroundStage } from '../support/playground-stage.ts';
import { findUnnamed } from '../support/unnamed-controls.ts';

const endings: (() => unknown)[] = [];
const place = { after: (ending: () => unknown) => endings.unshift(ending) };
let stage: Awaited<ReturnType<typeof setPlaygroundStage>>;
let page: ChromiumPage;
let heard: Awaited<ReturnType<ChromiumPage['listen']>>;

before(async () => {
  stage = await setPlaygroundStage(place);
  page = await openPage(place, 'about:blank');
  heard = await page.listen();
  await page.prefer(1280, 'light');
  await page.open(`${stage.coordinator.url}/playground/`);
  await page.until(`document.querySelector('.cm-content') !== null`);
});
after(async () => {
  for (const end of endings) await end();
});

const quoted = JSON.stringify;
const textOf = (selector: string) => `(document.querySelector(${quoted(selector)})?.textContent ?? '')`;
/** Every shown element's text. */
const shownText = (selector: string) =>
  `[...document.querySelectorAll(${quoted(selector)})].filter((each) => each.checkVisibility()).map((each) => each.textContent).join('|')`;
const click = (button: string) =>
  page.evaluate(
    `[...document.querySelectorAll('button')].find((each) => each.textContent === ${quoted(button)} && each.checkVisibility()).click()`,
  );
const turnTo = (mode: 'recipe' | 'scripts') => page.evaluate(`document.querySelector('input[value=${mode}]').click()`);
const fill = (selector: string, text: string) =>
  page.evaluate(`(() => {
    const field = document.querySelector(${quoted(selector)});
    field.value = ${quoted(text)};
    for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, { bubbles: true }));
  })()`);
/** Writes into an editor as its user would, over all that was there. */
const write = async (label: string, text: string) => {
  await page.evaluate(`(() => {
    const editor = document.querySelector('.cm-content[aria-label=${quoted(label)}]');
    editor.focus();
    getSelection().selectAllChildren(editor);
  })()`);
  await page.write(text);
};
/** Opens a request by its link, as somebody does who was sent it. */
const openLink = async (request: Parameters<typeof toFragment>[0]) => {
  await page.evaluate(`document.querySelector('.notice').hidden = true, history.replaceState(null, '', '#')`);
  await page.evaluate(`location.hash = ${quoted(await toFragment(request))}`);
  await page.until(`!document.querySelector('.notice').hidden`);
};
/** Presses Run; resolves with the sentence about what became of it. */
const run = async () => {
  await click('Run');
  return await page.until<string>(
    `document.querySelector('.act .strong').getAttribute('aria-disabled') === 'false' && ${textOf('.headline')}`,
  );
};
/** What the agent was asked for last. */
const newest = () => {
  const offers = stage.agent.said.filter((message) => message.type === 'lease.offer');
  const last = offers.at(-1)?.order;
  assert.ok(last !== undefined);
  return last;
};

test('a recipe is found by some letters of it and run, and what it writes is shown', async () => {
  assert.equal(await page.evaluate(`document.querySelector('#recipe').value`), 'Python 3.13');
  await page.evaluate(`document.querySelector('#recipe').focus()`);
  await page.evaluate(`document.querySelector('#recipe').select()`);
  await page.write('c++');
  assert.equal(await page.until(`${shownText('[role=option]')}`), 'C++ (GCC 14)14.2.0');
  await page.press('Enter');
  assert.equal(await page.until(`document.querySelector('.cm-content[aria-label="main.cpp"]') !== null`), true);
  await fill('#stdin', 'what it reads\n');
  assert.equal(await run(), 'It ran to its end.');
  assert.equal(await page.evaluate(shownText('.output pre')), 'what it reads\nHello, world!\n');
  const uses = await page.evaluate<string>(shownText('.uses'));
  assert.match(uses, /^Processor time210 msReal time240 msMemory at its peak40 MiBProcesses at their peak3/);
  const asked = newest();
  assert.equal(asked.run.variables['MAIN'], 'main.cpp');
  const recipe = await (await stage.coordinator.ask('GET', '/v1/recipes/cpp')).json();
  const { items } = await (await stage.coordinator.ask('GET', '/v1/executions?limit=1')).json();
  assert.equal(items[0].environment.id, recipe.environmentId, 'its layers are those of everybody who uses it');
  assert.equal(asked.compile?.script, recipe.compile.script);
});

test('own scripts begin as those of the recipe, and files are added, renamed and removed', async () => {
  await turnTo('scripts');
  assert.match(await page.evaluate(shownText('.script .cm-content')), /install -y --no-install-recommends g\+\+/);
  await write('Run script', './own "$@"');
  await click('Add file');
  await fill('#files-path', 'data/numbers.txt');
  await write('data/numbers.txt', '1 2 3');
  await fill('#arguments', `one 'two words'`);
  assert.equal(await run(), 'It ran to its end.');
  const asked = newest();
  assert.equal(asked.run.script, './own "$@"');
  assert.deepEqual(asked.run.arguments, ['one', 'two words']);
  assert.deepEqual(asked.files.map(({ path }) => path).sort(), ['data/numbers.txt', 'main.cpp']);
  assert.deepEqual(
    asked.files.find(({ path }) => path === 'data/numbers.txt'),
    { path: 'data/numbers.txt', content: '1 2 3' },
  );
  await click('Remove');
  assert.equal(await page.evaluate(shownText('[role=tab]')), 'main.cpp');
  await turnTo('recipe');
  await turnTo('scripts');
  assert.match(await page.evaluate(shownText('.script .cm-content')), /\.\/own "\$@"/, 'what was written is kept');
});

const own = (content: string, more: object = {}) => ({
  environment: {},
  files: [{ path: 'main.sh', content }],
  run: { script: 'sh main.sh' },
  ...more,
});

test('a link shows its request and runs nothing; the same request makes the same link again', async () => {
  const request = own('echo shared', {
    run: { script: 'sh main.sh', stdin: 'in', arguments: ['a b'], limits: { cpuTimeMs: 1500 } },
  });
  const before = stage.agent.said.length;
  await openLink(request);
  assert.match(await page.evaluate(textOf('.notice')), /it runs when you say so/);
  assert.equal(await page.evaluate(`document.querySelector('#run-cpuTimeMs').value`), '1.5');
  assert.equal(await page.evaluate(`document.querySelector('#arguments').value`), `'a b'`);
  assert.equal(stage.agent.said.length, before, 'nothing was run');
  await click('Share');
  const link = await page.until<string>(
    `document.querySelector('.share').hidden === false && document.querySelector('#link').value`,
  );
  assert.deepEqual(await fromFragment(new URL(link).hash), request);
  assert.ok(!heard.asked.some((asked) => asked.includes('share=')), 'no link is ever sent anywhere');
  await page.evaluate(`location.hash = '#share=1.broken!'`);
  await page.until(`/damaged/.test(${textOf('.notice')})`);
});

test('a program that fails, one that takes too long and one that writes bytes are each told in a sentence', async () => {
  await openLink(own('exit-7'));
  assert.equal(await run(), 'The program ended with exit code 7.');
  assert.equal(await page.evaluate(shownText('.output.error pre')), 'nothing came of it\n');
  await openLink(own('loop-forever'));
  assert.equal(await run(), 'The program used more processor time than it may.');
  assert.equal(await page.evaluate(shownText('.uses .over')), 'Processor time10.0 s of 10.0 s');
  assert.equal(await page.evaluate(`document.querySelector('.uses .over .fill').style.width`), '100%');
  await openLink(own('write-bytes'));
  assert.equal(await run(), 'It ran to its end.');
  assert.match(await page.evaluate(shownText('.output pre')), /^000000 {2}00 9f 92 96 ff 01 02 +·······$/);
  await openLink(own('no-semicolon', { compile: { script: 'g++ main.cpp' } }));
  assert.equal(await run(), 'It did not compile.');
  assert.match(await page.evaluate(shownText('.output')), /Compiler’s messagesmain\.cpp:3/);
});

test('a build is seen while it goes on, layer by layer, and one that fails says where', async () => {
  await openLink(own('true', { environment: { setup: 'install slow-packages' } }));
  await click('Run');
  await page.until(`/taking what it left 40 %/.test(${textOf('.layers')})`);
  assert.equal(await page.evaluate(`[...document.querySelectorAll('.layers progress')].at(-1).value`), 0.4);
  assert.equal(await page.evaluate(textOf('.stages [aria-current]')), 'Building');
  stage.letBuild();
  assert.equal(await page.until(textOf('.headline')), 'It ran to its end.');
  assert.equal(await page.evaluate(`document.querySelector('.build-part').open`), false);
  await openLink(own('true', { environment: { setup: 'install no-such-package' } }));
  assert.equal(await run(), 'The setup script failed with exit code 100.');
  await page.until(`/Unable to locate package/.test(${shownText('.build-part pre')})`);
});

test('output comes while the program runs, and cancelling ends it', async () => {
  await openLink(own('hold-it'));
  await click('Run');
  await page.until(`/while it runs: café/.test(${textOf('.output.plain:not([hidden]) pre')})`);
  assert.equal(await page.evaluate(textOf('.stages [aria-current]')), 'Running');
  await page.evaluate(`document.querySelector('.act button:nth-child(2)').focus()`);
  await page.press('Enter');
  assert.equal(await page.until(textOf('.headline')), 'It was cancelled.');
  assert.equal(await page.evaluate(`document.activeElement.textContent`), 'Run', 'focus is where somebody goes on');
});

test('what the API refuses is said at its field, in its unit; what is no number is not sent', async () => {
  await openLink(own('true', { run: { script: 'sh main.sh', limits: { cpuTimeMs: 9_000_000_000 } } }));
  assert.equal(await run(), 'The request was not taken.');
  assert.match(await page.evaluate(textOf('[data-pointer="/run/limits/cpuTimeMs"] .problem')), /at most 300 s/);
  assert.equal(await page.evaluate(`document.activeElement.id`), 'run-cpuTimeMs');
  await fill('#run-cpuTimeMs', 'plenty');
  const before = heard.asked.length;
  await click('Run');
  assert.match(await page.evaluate(textOf('[data-pointer="/run/limits/cpuTimeMs"] .problem')), /no number/);
  assert.equal(heard.asked.length, before);
  await openLink(own('true', { files: [{ path: '../outside', content: '' }] }));
  assert.equal(await run(), 'The request was not taken.');
  assert.match(await page.evaluate(textOf('[data-pointer="/files"] .problem')), /0\/path/);
});

test('what programs, recipes and links hold stays text', async () => {
  await openLink({ ...own('write-markup'), files: [{ path: hostile, content: `write-markup ${hostile}` }] });
  assert.ok((await page.evaluate<string>(shownText('[role=tab]'))).includes(hostile));
  await openLink(own(`write-markup ${hostile}`));
  assert.equal(await run(), 'It ran to its end.');
  assert.equal(await page.evaluate(shownText('.output pre')), `${hostile}red\n|${hostile}`);
  await turnTo('recipe');
  await page.evaluate(`document.querySelector('#recipe').click()`);
  await page.until(`${shownText('[role=option]')}.includes('onerror')`);
  await page.evaluate(`[...document.querySelectorAll('[role=option]')].at(-1).click()`);
  assert.equal(await page.evaluate(`document.querySelector('#recipe').value`), hostile);
  assert.deepEqual(
    await page.evaluate(`[document.querySelectorAll('img[src]').length, document.title.includes('markup')]`),
    [0, false],
  );
});

test('by keyboard alone: into the editor, run by Ctrl+Enter, and out of it again', async () => {
  await openLink(own('echo'));
  await page.evaluate(`document.querySelector('.cm-content[aria-label="main.sh"]').focus()`);
  await page.press('Enter', 'control');
  assert.equal(await page.until(textOf('.headline')), 'It ran to its end.');
  assert.equal(newest().files[0]?.path, 'main.sh');
  await page.press('Tab');
  assert.equal(await page.evaluate(`document.activeElement.getAttribute('aria-label')`), 'main.sh', 'Tab indents');
  await page.press('Escape');
  await page.press('Tab');
  assert.equal(await page.evaluate(`document.activeElement.className`), 'path', 'and leaves after Escape');
});

test('what is written is there again when the page is loaded again', async () => {
  await openLink(own('echo kept over a reload'));
  await page.open(`${stage.coordinator.url}/playground/`);
  await page.until(`/echo kept over a reload/.test(${shownText('.panel .cm-content')})`);
});

test('it fits a phone and a desk in light and dark, stands out from its ground, names its controls, breaks no rule', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-playground-'));
  noteInLedger('pictures of the playground', { in: folder });
  t.diagnostic(`pictures are in ${folder}`);
  const compiled = { compile: { script: 'cc', limits: { memoryBytes: 64 * 1024 ** 2 } } };
  for (const width of [390, 1280])
    for (const colours of ['light', 'dark'] as const) {
      await page.prefer(width, colours);
      for (const mode of ['recipe', 'scripts'] as const) {
        await turnTo('recipe');
        if (mode === 'scripts') await openLink(own('# A comment\nexit-7 "text" $NAME', compiled));
        await run();
        await page.evaluate(`for (const each of document.querySelectorAll('details')) each.open = true`);
        const name = `${mode}-${width}-${colours}`;
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

test('a grammar is fetched when a file of its language is first shown, and no sooner', async () => {
  const fetched = (name: string) => heard.asked.some((asked) => asked.includes(name));
  assert.ok(fetched('lang-cpp') && fetched('lang-python') && !fetched('lang-rust'));
  await openLink({ ...own(''), files: [{ path: 'main.rs', content: 'fn main() {}' }] });
  await page.until(`document.querySelector('.panel .cm-line span') !== null`);
  assert.ok(fetched('lang-rust') && !fetched('lang-go'));
});

test('the page asks nobody but its own origin, and complains of nothing but what it was refused', () => {
  const { url } = stage.coordinator;
  assert.deepEqual(
    heard.asked.filter((asked) => !asked.startsWith(url) && !asked.startsWith('data:') && asked !== 'about:blank'),
    [],
  );
  assert.deepEqual(
    heard.said.filter((said) => !/status of 400/.test(said)),
    [],
  );
});
