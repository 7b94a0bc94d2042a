/**
 * Owns the states of an agent's connection, as both sides see it.
 * disconnected · dialing: a socket is being opened · handshaking: challenge and proof · ready: takes leases · draining: finishes what it holds.
 */
import { Lifecycle } from './lifecycle.ts';

export const connectionStates = ['disconnected', 'dialing', 'handshaking', 'ready', 'draining'] as const;
export type ConnectionState = (typeof connectionStates)[number];

export type ConnectionCause =
  | 'dial'
  | 'opened'
  | 'welcomed'
  | 'refused'
  | 'lost'
  | 'heartbeat-missed'
  | 'superseded'
  | 'drain'
  | 'resume'
  | 'stopped';

// biome-ignore format: a transition table is read by column
export const connectionLifecycle = new Lifecycle<ConnectionState, ConnectionCause>('connection', {
  disconnected: { dial: 'dialing', opened: 'handshaking' },
  dialing:      { opened: 'handshaking', lost: 'disconnected', stopped: 'disconnected' },
  handshaking:  { welcomed: 'ready', refused: 'disconnected', lost: 'disconnected', stopped: 'disconnected' },
  ready:        { drain: 'draining', lost: 'disconnected', 'heartbeat-missed': 'disconnected', superseded: 'disconnected', stopped: 'disconnected' },
  draining:     { resume: 'ready', lost: 'disconnected', 'heartbeat-missed': 'disconnected', superseded: 'disconnected', stopped: 'disconnected' },
});
