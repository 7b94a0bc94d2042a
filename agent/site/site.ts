/**
 * Owns the port between an agent's leases and the work of its own site: what each has to know of the other. Never runs anything.
 * Invariant: slots and memory are taken from one table by both, so that nothing is promised twice.
 */
import type { SystemError } from '../../shared/errors.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { AgentMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { Received } from '../connection/session.ts';
import type { Slots } from '../execution/slots.ts';
import type { TimingWatcher } from '../timing/timing-witness.ts';

/** What a site is given by its agent. */
export interface Host {
  readonly slots: Slots;
  /** Who certifies times; absent: nobody. */
  readonly timing?: TimingWatcher | undefined;
  /** What the agent reports is to be reported again. */
  changed(): void;
  /** False when the coordinator is away. */
  send(message: AgentMessage): boolean;
  /** Nothing of the site runs or waits any more. */
  idle(): void;
  /** The error for whoever uses this layer now and must end, or null. */
  fatal(envelope: Envelope): SystemError | null;
}

/** What a site has or waits for: not to be promised to leases. */
export interface SiteClaims {
  readonly slots: number;
  readonly memoryBytes: number;
}

/** The work of an agent's own site, as the agent sees it. */
export interface Site {
  /** Called once, before anything else. */
  attach(host: Host): void;
  readonly claims: SiteClaims;
  readonly isIdle: boolean;
  /** A lease has run by this order: its environment is known and held. */
  ran(order: LeaseOrderMessage): void;
  /** There is a connection, to a coordinator that understands this. */
  welcomed(understood: readonly string[]): void;
  /** The coordinator answers what it was told. */
  recorded(message: Received<'executions.recorded'>): void;
  /** Keys or revocations have changed. */
  trustChanged(): void;
  /** Takes nothing more. */
  drain(): void;
  /** Ends what runs; resolves when nothing does. What was accepted durably is taken up by the next process. */
  stop(): Promise<void>;
}
