/**
 * Owns the door to undici: the only place that loads it. Never configures it.
 * Invariant: the process's own `fetch` goes where it went before. Loading undici puts an agent of undici's under the symbol by which Node's
 * fetch finds its own, over a proxy that whoever embeds us may have put there; here that is taken back.
 */
import { createRequire } from 'node:module';

const fetchDispatcher = Symbol.for('undici.globalDispatcher.1');
const before: unknown = Reflect.get(globalThis, fetchDispatcher);
const undici = createRequire(import.meta.url)('undici') as typeof import('undici');
if (Reflect.get(globalThis, fetchDispatcher) !== before) Reflect.set(globalThis, fetchDispatcher, before);

export type { Dispatcher } from 'undici';
export const { Agent, Client, request } = undici;
