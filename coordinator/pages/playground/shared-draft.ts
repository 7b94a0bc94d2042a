/**
 * Owns taking a request that a stranger wrote: what the page can show is taken, anything else refused by its name. Pure; never repairs one.
 * Invariant: what is taken has the members of a Draft and no others, each of its type; whether the API takes it is the API's to say.
 */
import type { Draft } from './request-parts.ts';

/** What is wrong with a value at a place; null: nothing. */
type Check = (value: unknown, at: string) => string | null;

const text: Check = (value, at) => (typeof value === 'string' ? null : `${at} is no text`);
const flag: Check = (value, at) => (typeof value === 'boolean' ? null : `${at} is neither true nor false`);
const amount: Check = (value, at) => (Number.isSafeInteger(value) && Number(value) >= 1 ? null : `${at} is no amount`);
const oneOf =
  (...words: readonly unknown[]): Check =>
  (value, at) =>
    words.includes(value) ? null : `${at} is not ${words.join(' or ')}`;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const firstOf = (all: readonly (string | null)[]): string | null => all.find((each) => each !== null) ?? null;

const listOf =
  (check: Check): Check =>
  (value, at) =>
    Array.isArray(value) ? firstOf(value.map((each, index) => check(each, `${at}/${index}`))) : `${at} is no list`;

const recordOf =
  (check: Check): Check =>
  (value, at) =>
    isRecord(value)
      ? firstOf(Object.entries(value).map(([name, each]) => check(each, `${at}/${name}`)))
      : `${at} holds no members`;

/** `wanted`: members that must be there. */
const shape =
  (members: Readonly<Record<string, Check>>, ...wanted: readonly string[]): Check =>
  (value, at) => {
    if (!isRecord(value)) return `${at === '' ? 'it' : at} holds no members`;
    const missing = wanted.find((name) => !Object.hasOwn(value, name));
    if (missing !== undefined) return `${at}/${missing} is missing`;
    return firstOf(
      Object.entries(value).map(([name, each]) => {
        const check = Object.hasOwn(members, name) ? members[name] : undefined;
        return check === undefined ? `the playground has no place for ${at}/${name}` : check(each, `${at}/${name}`);
      }),
    );
  };

const limits = shape(
  Object.fromEntries(
    [
      ...['cpuTimeMs', 'wallTimeMs', 'idleTimeMs', 'memoryBytes', 'processes', 'outputBytes', 'fileSizeBytes'],
      ...['openFiles', 'stackBytes', 'diskBytes', 'diskInodes'],
    ].map((name) => [name, amount]),
  ),
);
const files = listOf(
  shape({ path: text, content: text, encoding: oneOf('utf8', 'base64'), executable: flag }, 'path', 'content'),
);
const script = { script: text, variables: recordOf(text), limits };

const draft = shape(
  {
    environment: shape({
      ...{ base: oneOf('debian-13', 'debian-12'), setup: text, dependencies: text, files },
      ...{ variables: recordOf(text), verify: text, limits },
    }),
    files,
    compile: shape(script, 'script'),
    run: shape({ ...script, arguments: listOf(text), stdin: text }, 'script'),
  },
  ...['environment', 'files', 'run'],
);

/** The request, or what is wrong with it. */
export function readDraft(value: unknown): Draft | string {
  return draft(value, '') ?? (value as Draft);
}
