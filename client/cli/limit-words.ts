/**
 * Owns limits as people write them: `cpu=2s,memory=256m`. Pure; never repairs one.
 * Invariant: there is one word for each limit of shared/model/limits.ts, and the limit's own name is taken, too.
 */
import { nearestName } from '../../shared/http/nearest-name.ts';
import type { LimitName, Limits } from '../../shared/model/limits.ts';

/** The word for each limit. */
export const limitWords = {
  cpu: 'cpuTimeMs',
  wall: 'wallTimeMs',
  idle: 'idleTimeMs',
  memory: 'memoryBytes',
  processes: 'processes',
  output: 'outputBytes',
  'file-size': 'fileSizeBytes',
  'open-files': 'openFiles',
  stack: 'stackBytes',
  disk: 'diskBytes',
  inodes: 'diskInodes',
} as const satisfies Readonly<Record<string, LimitName>>;

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };
const sizeUnits: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** The word that a limit is written by. */
export function wordOf(limit: string): string {
  return Object.entries(limitWords).find(([, name]) => name === limit)?.[0] ?? limit;
}

/** The limits of a list; or what is wrong with it, item by item. */
export function readLimits(text: string): { readonly limits: Limits; readonly problems: readonly string[] } {
  const limits: Limits = {};
  const problems: string[] = [];
  const known: readonly string[] = [...Object.keys(limitWords), ...Object.values(limitWords)];
  for (const item of text.split(',').filter((part) => part.trim() !== '')) {
    const [, word = item.trim(), said = ''] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(item) ?? [];
    const name = limitOf(word);
    const near = nearestName(word, known);
    if (name === null)
      problems.push(
        `there is no limit ${word}; ${near === null ? `there are ${Object.keys(limitWords).join(', ')}` : `did you mean ${near}?`}`,
      );
    else if (limits[name] !== undefined) problems.push(`the limit ${word} is given twice`);
    else {
      const value = toAmount(name, said);
      if (value === null) problems.push(`the limit ${word} is '${said}': give ${example(name)}`);
      else limits[name] = value;
    }
  }
  return { limits, problems };
}

function limitOf(word: string): LimitName | null {
  if (Object.hasOwn(limitWords, word)) return limitWords[word as keyof typeof limitWords];
  return Object.values(limitWords).find((name) => name === word) ?? null;
}

const isTime = (name: LimitName) => name.endsWith('Ms');
const isSize = (name: LimitName) => name.endsWith('Bytes');

function toAmount(name: LimitName, said: string): number | null {
  const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(said) ?? [];
  if (digits === undefined) return null;
  const small = unit.toLowerCase();
  const factor = isTime(name)
    ? timeUnits[small === '' ? 'ms' : small]
    : isSize(name)
      ? sizeUnits[small === '' ? 'b' : small.replace(/(?<=.)i?b$/, '')]
      : small === ''
        ? 1
        : undefined;
  if (factor === undefined) return null;
  const value = Math.round(Number(digits) * factor);
  return Number.isSafeInteger(value) && value >= 1 ? value : null;
}

function example(name: LimitName): string {
  if (isTime(name)) return 'a time such as 500ms, 2s or 1m';
  return isSize(name) ? 'a size such as 64k, 256m or 1g' : 'a whole number, at least 1';
}
