/**
 * Owns talking to the builder over its Unix socket: one request per layer, its answer a stream of events.
 * Never interprets a script's failure; a builder that can't be reached or breaks off is SystemError `builder-unavailable`.
 */
import { createInterface } from 'node:readline';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { SystemError } from '../../shared/errors.ts';
import { BuildEvent, type BuildOrder } from '../../shared/model/build.ts';
import { Client } from '../../shared/undici.ts';

const eventCheck = TypeCompiler.Compile(BuildEvent);

/** The last event of a build that ran to its end. */
export type FinishedBuild = Extract<BuildEvent, { type: 'finished' }>;
/** What is said before that. */
export type BuildNews = Exclude<BuildEvent, { type: 'finished' } | { type: 'broken' }>;

/** Builds layers. */
export interface Builder {
  /** Runs one build to its end; aborting `signal` ends it there too. SystemError when it could not be carried out. */
  build(order: BuildOrder, news: (event: BuildNews) => void, signal: AbortSignal): Promise<FinishedBuild>;
  /** Lets the builder remove what it staged. */
  forget(buildId: string): Promise<void>;
  /** Resolves when the builder answers. */
  check(): Promise<void>;
  close(): Promise<void>;
}

function unavailable(cause: unknown): SystemError {
  if (cause instanceof SystemError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  return new SystemError('builder-unavailable', `asking the builder: ${said}`, { cause, retryAfterSeconds: 2 });
}

/** What a script left is its client's doing and the same next time; all else that breaks a build is ours, whatever its code. */
function toBroken({ code, detail }: Extract<BuildEvent, { type: 'broken' }>): SystemError {
  if (code === 'layer-refused') return new SystemError(code, detail);
  return new SystemError('build-failed', `${code}: ${detail}`);
}

/** A client of the builder behind this socket. */
export function createBuilderClient(socketPath: string): Builder {
  // A build's answer lives for as long as the build, silent while a script is; the builder's own limits end it.
  const client = new Client('http://builder', { socketPath, headersTimeout: 0, bodyTimeout: 0, pipelining: 64 });
  return {
    async build(order, news, signal) {
      // A client of its own: a request that is closed in the middle takes its connection with it.
      const own = new Client('http://builder', { socketPath, headersTimeout: 0, bodyTimeout: 0 });
      try {
        const { statusCode, body } = await own.request({
          method: 'POST',
          path: '/builds',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(order),
          signal,
        });
        if (statusCode !== 200) throw new Error(`${statusCode} ${(await body.text()).slice(0, 500)}`);
        for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
          const event: unknown = JSON.parse(line);
          if (!eventCheck.Check(event)) throw new Error(`an event that is not one: ${line.slice(0, 200)}`);
          if (event.type === 'finished') return event;
          if (event.type === 'broken') throw toBroken(event);
          news(event);
        }
        throw new Error('the build broke off');
      } catch (cause) {
        throw unavailable(cause);
      } finally {
        await own.destroy();
      }
    },
    async forget(buildId) {
      const { body } = await client.request({ method: 'DELETE', path: `/builds/${buildId}` });
      await body.dump();
    },
    async check() {
      const { statusCode, body } = await client.request({ method: 'GET', path: '/health' }).catch((cause: unknown) => {
        throw unavailable(cause);
      });
      await body.dump();
      if (statusCode !== 200) throw unavailable(new Error(`it answers ${statusCode}`));
    },
    close: () => client.destroy(),
  };
}
