/**
 * Owns the inner half of `make run`: the first process of the instance's own pid and mount namespace. It makes folders and mounts,
 * starts the processes in their order, proves the instance, serves until it is told to stop, and stops them in reverse order.
 * Never hears the terminal: main.ts tells it to stop, and its own end is the end of everything in the namespace.
 */
import { join } from 'node:path';
import { EXIT_CONFIGURATION } from '../../shared/config.ts';
import { demonstrate, describe } from './demonstration.ts';
import { prepareFolders, toFolders } from './folders.ts';
import { describeProcesses } from './instance.ts';
import { PrefixedLog } from './prefixed-log.ts';
import { loadSettings } from './settings.ts';
import { SupervisedProcess } from './supervised-process.ts';

const startedAt = performance.now();
const settings = loadSettings();
const log = new PrefixedLog(process.stdout);
const say = (text: string) => log.line('supervisor', text);
const stopping = new AbortController();
const whenStopped = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
process.on('message', () => stopping.abort());
process.on('disconnect', () => stopping.abort());

const folders = toFolders(settings);
prepareFolders(folders, settings, join(import.meta.dirname, '../..'));

const running: SupervisedProcess[] = [];
let exitCode = 0;
try {
  for (const wave of describeProcesses(settings, folders)) {
    const started = wave.map((description) => new SupervisedProcess(description, log));
    running.push(...started);
    await Promise.race([Promise.all(started.map((each) => each.start())), whenStopped]);
    if (stopping.signal.aborted) break;
  }
  if (!stopping.signal.aborted) await serve();
} catch (error) {
  if (!stopping.signal.aborted) {
    say(error instanceof Error ? error.message : String(error));
    exitCode = running.some((each) => each.isRefused) ? EXIT_CONFIGURATION : 1;
  }
}
if (stopping.signal.aborted) say('stopping');
for (const each of running.reverse()) await each.stop();
process.exit(exitCode);

async function serve(): Promise<void> {
  say(
    `ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s: ${settings.url} (state in ${settings.stateDirectory})`,
  );
  if (process.connected) process.send?.('ready');
  if (settings.isDemonstrated) {
    say('proving it: a C++ program whose compiler and library come by its own scripts');
    const execution = await demonstrate(settings.url, (name, text) => log.line(name, text), stopping.signal);
    for (const text of describe(execution, settings.url)) log.line('demonstration', text);
  }
  if (settings.isOnce) return;
  say('serving until Ctrl-C');
  await whenStopped;
}
