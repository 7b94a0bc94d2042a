/**
 * Owns what a tenant is told of its use: what it uses now and may, and what it used on the days before. Never counts anything.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable } from './closed.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });
const Measure = (description: string) =>
  Closed({ used: count('Now.'), max: Nullable(Type.Integer(), { description: 'Null: no bound.' }) }, { description });

/** See the head of this file. */
export const Usage = Closed(
  {
    tenant: Type.String({ description: 'Whose it is.' }),
    now: Closed(
      {
        concurrency: Measure('Executions that run.'),
        queueDepth: Measure('Executions that wait.'),
        executionsPerMinute: Measure('Executions that have begun in this minute of the clock.'),
        buildSeconds: Measure('Seconds that builds ran today (UTC).'),
        egressBytes: Measure('Bytes that builds fetched today (UTC).'),
        storedBytes: Measure('Bytes of results, requests and own layers, as last measured.'),
      },
      { description: 'What is used at this moment, and its bounds.' },
    ),
    dayEndsInSeconds: count('Until the bounds of a day begin anew.'),
    days: Type.Array(
      Closed({
        day: Type.String({ description: 'In UTC.' }),
        executions: count('That ended.'),
        cpuMs: count('Processor time of their scripts.'),
        wallMs: count('Real time of their scripts.'),
        buildMs: count('Real time of builds.'),
        egressBytes: count('That builds fetched.'),
        storedBytes: Type.Integer({ minimum: 0, description: 'The most that was measured on that day.' }),
      }),
      { description: 'Newest first.' },
    ),
  },
  { title: 'TenantUsage', description: 'What a tenant uses and may, and what it used on the days before.' },
);
export type Usage = Static<typeof Usage>;
