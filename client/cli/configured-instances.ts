/**
 * Owns which coordinator is asked, and with which key: flags, then variables, then what login wrote, then this machine's own. And that file.
 * Never sends a remembered key anywhere but to the coordinator that it was remembered for, and never prints one.
 * Invariant: the file is replaced as a whole, with mode 0600.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { exitCodes } from './exit-codes.ts';
import type { GivenFlags } from './invocation.ts';
import { CommandError, type Surroundings, userPlace } from './surroundings.ts';

/** A coordinator as it was chosen. */
export interface ChosenInstance {
  readonly url: string;
  readonly key: string | null;
  /** What named it, as a person would say it. */
  readonly urlFrom: string;
  readonly keyFrom: string | null;
  /** Nobody named one: this machine's own, which may have to be started. */
  readonly isDefault: boolean;
}

interface Remembered {
  /** The one that was remembered last, or null. */
  readonly current: string | null;
  readonly instances: readonly { readonly url: string; readonly key: string | null }[];
}

const DEFAULT_PORT = 7070;

/** The address as it is compared and kept: without a slash at its end; throws for what is none. */
export function toServerUrl(text: string): string {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '')
    throw new CommandError(
      exitCodes.usage,
      `'${text}' is no address of a coordinator: give one such as https://envicutor.example`,
    );
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** The port of this machine's own. */
export function ownPort({ variables }: Pick<Surroundings, 'variables'>): number {
  const text = variables['ENVICUTOR_PORT'] ?? '';
  if (text === '') return DEFAULT_PORT;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new CommandError(exitCodes.configuration, `ENVICUTOR_PORT is '${text}': give a port from 1 to 65535`);
}

const fileOf = (surroundings: Surroundings) => userPlace(surroundings, 'CONFIG', 'cli.json');

/** Which one is asked. */
export function chooseInstance(surroundings: Surroundings, flags: GivenFlags): ChosenInstance {
  const { variables } = surroundings;
  const remembered = readRemembered(surroundings);
  const named: readonly (readonly [text: string | null | undefined, from: string])[] = [
    [flags.text('url'), '--url'],
    [variables['ENVICUTOR_URL'], 'ENVICUTOR_URL'],
    [remembered.current, fileOf(surroundings)],
  ];
  const [text, urlFrom] = named.find(([given]) => given !== null && given !== undefined && given !== '') ?? [null, ''];
  const isDefault = text === null || text === undefined;
  const url = isDefault ? `http://127.0.0.1:${ownPort(surroundings)}` : toServerUrl(text);
  return {
    url,
    ...findKey(surroundings, flags, remembered, url),
    urlFrom: isDefault ? 'nothing else is configured' : urlFrom,
    isDefault,
  };
}

function findKey(surroundings: Surroundings, flags: GivenFlags, remembered: Remembered, url: string) {
  const path = flags.text('key-file');
  if (path !== null) return { key: checkKey(readText(path, '--key-file'), path), keyFrom: '--key-file' };
  const given = surroundings.variables['ENVICUTOR_KEY'] ?? '';
  if (given !== '') return { key: checkKey(given, 'ENVICUTOR_KEY'), keyFrom: 'ENVICUTOR_KEY' };
  const kept = remembered.instances.find((instance) => instance.url === url)?.key ?? null;
  return { key: kept, keyFrom: kept === null ? null : fileOf(surroundings) };
}

/** A key is what may stand in a header. */
export function checkKey(text: string, from: string): string {
  const key = text.trim();
  if (/^[!-~]{1,4096}$/.test(key)) return key;
  const why = key === '' ? 'is empty' : 'holds more than one word of printable characters';
  throw new CommandError(exitCodes.usage, `what ${from} gives as a key ${why}: give the key alone`);
}

function readText(path: string, from: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CommandError(
      exitCodes.usage,
      `${from} ${path} can't be read (${(cause as NodeJS.ErrnoException).code})`,
      cause,
    );
  }
}

/** What login wrote. */
export function readRemembered(surroundings: Surroundings): Remembered {
  const path = fileOf(surroundings);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { current: null, instances: [] };
    throw new CommandError(
      exitCodes.configuration,
      `${path} can't be read (${(cause as NodeJS.ErrnoException).code})`,
      cause,
    );
  }
  const value = parse(text);
  if (value === null)
    throw new CommandError(exitCodes.configuration, `${path} is not what login writes: remove it and log in again`);
  return value;
}

function parse(text: string): Remembered | null {
  try {
    const { current, instances } = JSON.parse(text) as Partial<Remembered>;
    const isText = (value: unknown) => value === null || typeof value === 'string';
    if (!isText(current) || !Array.isArray(instances)) return null;
    return instances.every(({ url, key }) => typeof url === 'string' && isText(key))
      ? ({ current, instances } as Remembered)
      : null;
  } catch {
    return null;
  }
}

/** Remembers a coordinator with its key and asks it from now on; or, without a key to keep, forgets it. Where that stands. */
export function remember(surroundings: Surroundings, url: string, key: string | null, isForgotten = false): string {
  const path = fileOf(surroundings);
  const before = readRemembered(surroundings);
  const others = before.instances.filter((instance) => instance.url !== url);
  const current = isForgotten ? (before.current === url ? null : before.current) : url;
  const after: Remembered = { current, instances: isForgotten ? others : [...others, { url, key }] };
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${JSON.stringify(after, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, path);
  return path;
}
