/**
 * Owns the agent's look at its machine before it starts: every requirement that must be met, or why it does not start.
 * Never repairs anything and never starts half: every problem is one sentence with its remedy.
 */
import { type Clock, passed } from '../../shared/clock.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import type { SlotCpus } from '../execution/slot-cpus.ts';
import { type Machine, machineAt } from './machine.ts';
import { toSentence } from './requirement.ts';
import { type StartSubject, slotCpusOf, startRequirements } from './start-requirements.ts';

/** What preflight looks at. */
export interface PreflightOptions extends Omit<StartSubject, 'sandbox' | 'machine' | 'mayMakeFolders'> {
  readonly launcherWaitMs: number;
  /** Connects to the launcher; tried again until `launcherWaitMs` are over. */
  readonly connect: () => Promise<Sandbox>;
  readonly clock: Clock;
  /** Absent: this one. */
  readonly machine?: Machine;
}

/** A sandbox to work with, or why not. */
export type PreflightOutcome =
  | { readonly sandbox: Sandbox; readonly slotCpus: readonly SlotCpus[]; readonly problems: readonly [] }
  | { readonly problems: readonly string[] };

const CONNECT_INTERVAL_MS = 50;

/** Looks at everything and names every problem. */
export async function preflight(options: PreflightOptions): Promise<PreflightOutcome> {
  const subject = toStartSubject(options, true);
  const problems: string[] = [];
  for (const requirement of startRequirements) {
    const finding = await requirement.look(subject);
    if (finding.state === 'wrong') problems.push(toSentence(requirement, finding));
  }
  // Without a launcher there is a problem.
  const sandbox = await subject.sandbox().catch(() => null);
  if (sandbox !== null && problems.length === 0)
    return { sandbox, slotCpus: slotCpusOf(subject, sandbox.facts).cpus ?? [], problems: [] };
  await sandbox?.close();
  return { problems };
}

/** The subject of the requirements: the launcher is asked for when one wants it, once. */
export function toStartSubject(options: PreflightOptions, mayMakeFolders: boolean): StartSubject {
  let connected: Promise<Sandbox> | null = null;
  const sandbox = () => {
    connected ??= connect(options);
    return connected;
  };
  return { machine: machineAt(), ...options, mayMakeFolders, sandbox };
}

async function connect({ connect: attempt, launcherWaitMs, clock }: PreflightOptions): Promise<Sandbox> {
  const deadlineMs = clock.monotonicMs() + launcherWaitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (clock.monotonicMs() >= deadlineMs) throw error;
    }
    await passed(clock, CONNECT_INTERVAL_MS);
  }
}
