/**
 * Owns one question over HTTP to whoever listens at a coordinator's WebSocket address: is somebody there, and what time is it there. Never enrols,
 * and never looks at what is answered: any answer has the time in its header.
 */
import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Clock } from '../../shared/clock.ts';

/** What came: the time there by the header Date and here when it came, milliseconds since 1970; or why nothing came. */
export type CoordinatorAnswer =
  | { readonly dateMs: number | null; readonly nowMs: number }
  | { readonly failure: string };

const ANSWER_MS_MAX = 3000;

/** Asks one address such as `wss://host:port/agents`; never rejects. */
export function askCoordinator(url: string, ca: string | undefined, clock: Clock): Promise<CoordinatorAnswer> {
  const { promise, resolve } = Promise.withResolvers<CoordinatorAnswer>();
  try {
    const target = new URL('/healthz', url);
    const isTls = target.protocol === 'wss:';
    target.protocol = isTls ? 'https:' : 'http:';
    const options = { method: 'HEAD', agent: false as const, timeout: ANSWER_MS_MAX };
    const asked = isTls
      ? requestTls(target, ca === undefined ? options : { ...options, ca })
      : requestPlain(target, options);
    asked.on('response', (answer) => {
      answer.resume();
      const dateMs = Date.parse(answer.headers.date ?? '');
      resolve({ dateMs: Number.isNaN(dateMs) ? null : dateMs, nowMs: clock.nowMs() });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
    asked.on('error', (error: NodeJS.ErrnoException) => resolve({ failure: error.code ?? error.message }));
    asked.end();
  } catch (error) {
    resolve({ failure: error instanceof Error ? error.message : String(error) });
  }
  return promise;
}
