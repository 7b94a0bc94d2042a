/**
 * Owns what a tenant is told of its use: what it uses now and may, and what it used on the days before. Never counts anything.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable } from './closed.ts';

const count = Type.Integer({ minimum: 0 });
const Measure = (description: string) =>
  Closed({ used: count, max: Nullable(Type.Integer({ description: 'Null: no bound.' })) }, { description });

/** See the head of this file. */
export const Usage = Closed({
  tenant: Type.String(),
  now: Closed({
    concurrency: Measure('Executions that run.'),
    queueDepth: Measure('Executions that wait.'),
    executionsPerMinute: Measure('Executions that have begun in this minute of the clock.'),
    buildSeconds: Measure('Seconds that builds ran today (UTC).'),
    egressBytes: Measure('Bytes that builds fetched today (UTC).'),
    storedBytes: Measure('Bytes of results, requests and own layers, as last measured.'),
  }),
  dayEndsInSeconds: count,
  days: Type.Array(
    Closed({
      day: Type.String({ description: 'In UTC.' }),
      executions: count,
      cpuMs: count,
      wallMs: count,
      buildMs: count,
      egressBytes: count,
      storedBytes: Type.Integer({ minimum: 0, description: 'The most that was measured on that day.' }),
    }),
    { description: 'Newest first.' },
  ),
});
export type Usage = Static<typeof Usage>;
