/**
 * Owns the proof of the command line in a real terminal: bars of builds, Ctrl-C in a build and in a run, a key that is not shown, a program in this terminal.
 * Needs root, for the sandboxes, and tmux.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EnvicutorClient } from '../../client/typescript/client.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { cliProgram } from '../support/command-line.ts';
import { setCommandStage } from '../support/command-line-stage.ts';
import { TerminalWindow } from '../support/terminal-window.ts';

const endings: (() => unknown)[] = [];
const place = { after: (ending: () => unknown) => endings.unshift(ending) };
let stage: Awaited<ReturnType<typeof setCommandStage>>;
let window: TerminalWindow;
before(async () => {
  stage = await setCommandStage(place);
  stage.line.write({
    'main.sh': 'echo begun; sleep 600\n',
    'main.slow': 'echo hello\n',
    'ask.sh': 'test -t 0 && printf "name? "; read name; echo "hello, $name"; exit 5\n',
  });
  window = await TerminalWindow.open(place, stage.line.folder, {
    ...stage.line.variables,
    ENVICUTOR: `${process.execPath} ${cliProgram}`,
  });
});
after(async () => {
  for (const end of endings) await end();
});

const newest = async (): Promise<Execution> => {
  for await (const execution of new EnvicutorClient({ url: stage.url }).list({ pageSize: 1 })) return execution;
  throw new Error('there is no execution');
};

test('a program runs in this terminal: it is asked, answers, and its exit code is ours', async () => {
  await window.type('$ENVICUTOR run -i ask.sh; echo "code $?"');
  await window.untilShown(/name\?/);
  await window.type('Ada');
  const shown = await window.untilShown(/code \d/);
  assert.match(shown, /hello, Ada\n[\s\S]*code 5\n/);
});

test('Ctrl-C in a run cancels it, gives the prompt back, and leaves nothing at the coordinator', async () => {
  await window.type('$ENVICUTOR run main.sh; echo "ended with $?"');
  await window.untilShown(/^begun$/m);
  await window.press('C-c');
  await window.untilShown(/ended with 130/);
  assert.equal((await newest()).stage, 'cancelled');
});

test('Ctrl-C in a build ends the command; the same build is a bar that fills, and its end is the program’s output', async () => {
  await window.type('$ENVICUTOR run main.slow; echo "build left with $?"');
  await window.untilShown(/setup +█+░+ running .*Fetching one/);
  await stage.slowBegun;
  await window.press('C-c');
  await window.untilShown(/build left with 130/);
  assert.equal((await newest()).stage, 'cancelled');
  stage.letSlowGo();
  await window.type('$ENVICUTOR run main.slow; echo "second $?"');
  const shown = await window.untilShown(/second 0/);
  assert.match(shown, /^hello\nsecond 0/m);
});

test('a key that is typed is not shown, and Ctrl-C there remembers nothing', async () => {
  await window.type('$ENVICUTOR login $ENVICUTOR_URL; echo "login $?"');
  await window.untilShown(/Key for http.*none\):/);
  await window.type('hidden-word');
  // This coordinator needs no key and takes none.
  const shown = await window.untilShown(/login \d+/);
  assert.ok(!shown.includes('hidden-word'));
  await window.type('$ENVICUTOR login $ENVICUTOR_URL; echo "again $?"');
  await window.untilShown(/login \d+[\s\S]*Key for http.*none\):/);
  await window.press('C-c');
  assert.match(await window.untilShown(/again \d+/), /nothing was remembered\nagain 130/);
});
