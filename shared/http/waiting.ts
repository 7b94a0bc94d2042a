/**
 * Owns how long a request waits for the execution that it submitted: until that ends, its time is over or its client goes away. Never answers it.
 */
import type { FastifyReply } from 'fastify';
import type { Clock } from '../clock.ts';

/** What a request waits for. */
export interface Waited<Result> {
  readonly done: Promise<Result>;
  /** Milliseconds. */
  readonly waitMs: number;
  /** Called when the client goes away first. */
  readonly left: () => void;
}

/** The end of it; null when the time is over first, the client goes away, or there will be none. */
export async function untilDone<Result>(
  { done, waitMs, left }: Waited<Result>,
  reply: FastifyReply,
  clock: Pick<Clock, 'after'>,
): Promise<Result | null> {
  const { promise, resolve } = Promise.withResolvers<Result | null>();
  const timer = clock.after(waitMs, () => resolve(null));
  const close = () => {
    resolve(null);
    left();
  };
  reply.raw.on('close', close);
  done.then(resolve, () => resolve(null));
  const result = await promise;
  timer.cancel();
  reply.raw.off('close', close);
  return result;
}
