/**
 * Owns what a launcher counts of itself, as agents tell it and metrics show it: the stock of prepared sandboxes, what runs, what is swept.
 * Never a figure of one run: those are in its Report.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed } from './closed.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });

/** One launcher's counts; all but the misses are of this moment. */
export const SandboxCounts = Closed({
  stock: count('Prepared sandboxes, ready.'),
  stockWanted: count('Prepared sandboxes that the stock is being filled up to.'),
  stockMisses: count('Launches since the launcher started that had to wait for a sandbox.'),
  running: count('Launches that run.'),
  sweeping: count('Cgroups and file trees that wait to be removed.'),
});
export type SandboxCounts = Static<typeof SandboxCounts>;

/** The names, for whoever sums or shows them. */
export const sandboxCountNames = Object.keys(SandboxCounts.properties) as readonly (keyof SandboxCounts)[];

/** The counts of several launchers together; of none: zeros. */
export function sumSandboxCounts(all: Iterable<SandboxCounts>): SandboxCounts {
  const sum: SandboxCounts = { stock: 0, stockWanted: 0, stockMisses: 0, running: 0, sweeping: 0 };
  for (const each of all) for (const name of sandboxCountNames) sum[name] += each[name];
  return sum;
}
