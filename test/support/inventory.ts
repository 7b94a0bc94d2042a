/**
 * Looks at what this process holds and what it has set for everybody in it: listeners, globals, descriptors, processes below it, timers.
 * Never changes anything. What is embedded must leave all of it as it was.
 */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Clock, systemClock, type Timer } from '../../shared/clock.ts';
import { cgroupsNamed, childrenOf } from './host-traces.ts';

/** Less than it takes for an idle connection to end by itself. */
const REST_MS_MAX = 2000;
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2', 'SIGPIPE'] as const;
const events = ['exit', 'beforeExit', 'uncaughtException', 'unhandledRejection', 'warning', 'message', 'disconnect'];

/** What this process has now. */
export function takeInventory() {
  const listened = [...signals, ...events].map((name) => [name, process.listenerCount(name)] as const);
  return {
    listeners: Object.fromEntries(listened),
    umask: process.umask(),
    directory: process.cwd(),
    // Where this process's fetch goes, besides names.
    dispatcher: Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1')),
    globals: Object.keys(globalThis).sort(),
    descriptors: descriptors(),
    children: childrenOf(process.pid),
    cgroups: cgroupsNamed(`envicutor-embedded-${process.pid}-`),
  };
}

/** What descriptors stand for; which socket it is says nothing. */
function descriptors(): string[] {
  const links = readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`)];
    } catch {
      return []; // that of the reading itself
    }
  });
  return links.map((link) => link.replace(/\d+/, 'N')).sort();
}

/** Resolves when it is as before: a connection that was closed at one end may take a turn at the other. */
export async function assertNothingLeft(before: ReturnType<typeof takeInventory>): Promise<void> {
  const deadline = performance.now() + REST_MS_MAX;
  while (!isDeepStrictEqual(takeInventory(), before) && performance.now() < deadline) await wait(10);
  assert.deepEqual(takeInventory(), before);
}

/** The system's clock, and how many of its timers are yet to come. */
export class CountedClock implements Clock {
  readonly #pending = new Set<Timer>();
  readonly nowMs = systemClock.nowMs;
  readonly monotonicMs = systemClock.monotonicMs;

  get pending(): number {
    return this.#pending.size;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = systemClock.after(delayMs, () => {
      this.#pending.delete(timer);
      action();
    });
    this.#pending.add(timer);
    return {
      cancel: () => {
        this.#pending.delete(timer);
        timer.cancel();
      },
    };
  }
}
