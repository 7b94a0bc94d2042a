/**
 * Owns `envicutor login`: a key read without showing it, tried against the coordinator, remembered. Never keeps a key that is refused, and prints none.
 */
import { isLoopback } from '../../shared/http/loopback.ts';
import { checkKey, chooseInstance, remember, toServerUrl } from './configured-instances.ts';
import { exitCodes } from './exit-codes.ts';
import { readText } from './given-files.ts';
import type { Invocation } from './invocation.ts';
import { openSession, toCommandError } from './session.ts';
import { CommandError, type Surroundings, say } from './surroundings.ts';

const KEY_CHARACTERS_MAX = 4096;

/** Reads, tries, remembers. */
export async function loginCommand({ operands, flags }: Invocation, surroundings: Surroundings): Promise<number> {
  const { signal } = surroundings;
  const [operand] = operands;
  const chosen = chooseInstance(surroundings, flags);
  const url = operand === undefined ? chosen.url : toServerUrl(operand);
  if (flags.has('forget')) {
    const path = remember(surroundings, url, null, true);
    say(surroundings, `${url} is forgotten (${path})`);
    return exitCodes.ok;
  }
  const read = await readKey(surroundings, url, flags.text('key-file') === null ? null : chosen.key);
  // A coordinator of this machine alone may want none.
  const key = read === '' ? null : checkKey(read, 'standard input');
  const instance = { url, key, urlFrom: 'login', keyFrom: key === null ? null : 'login', isDefault: false };
  try {
    const { tenant } = await openSession(instance).quick.usage({ days: 1, signal });
    const path = remember(surroundings, url, key);
    say(
      surroundings,
      `${url} takes ${key === null ? 'you without a key' : 'the key'}: you are tenant ${tenant} there (${path})`,
    );
  } catch (error) {
    throw toCommandError(error, instance, signal);
  }
  if (key !== null && url.startsWith('http://') && !isLoopback(new URL(url).host))
    say(surroundings, `${url} is not encrypted: whoever is on the way can read the key; use https`);
  return exitCodes.ok;
}

async function readKey(surroundings: Surroundings, url: string, given: string | null): Promise<string> {
  if (given !== null) return given;
  const { stdin } = surroundings;
  if (!stdin.isTTY) return (await readText(stdin)).trim();
  return await readHidden(surroundings, `Key for ${url} (it is not shown; empty: none): `);
}

/** One line from the terminal, which does not show it. */
async function readHidden({ stdin, stderr, signal }: Surroundings, question: string): Promise<string> {
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  let typed = '';
  try {
    for await (const text of stdin as AsyncIterable<string>) {
      for (const character of text) {
        if (character === '\r' || character === '\n' || character === '\u0004') return typed.trim();
        if (character === '\u0003' || signal.aborted)
          throw new CommandError(exitCodes.interrupted, 'nothing was remembered');
        if (character === '\u007f' || character === '\b') typed = typed.slice(0, -1);
        else if (typed.length < KEY_CHARACTERS_MAX) typed += character;
      }
    }
    return typed.trim();
  } finally {
    if (!stdin.destroyed) stdin.setRawMode(false);
    stderr.write('\n');
  }
}
