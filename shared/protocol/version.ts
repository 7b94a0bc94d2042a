/**
 * Owns the protocol's version and the names of the WebSocket close codes.
 * Invariant: within one version only optional things are added; the coordinator speaks N and N-1.
 */
import { Type } from '@sinclair/typebox';

/** The version that this code speaks. */
export const PROTOCOL_VERSION = 1;
/** The versions that a coordinator accepts. */
export const acceptedVersions: readonly number[] = [1];

/**
 * Optional parts of this version that the other side may be too old for: it says which ones it takes, and is sent no other.
 * `order.environment`: an order names its environment · `executions.ended`: what an agent ran for its own site is recorded ·
 * `order.tests`: an order may have tests, whose results come one by one and with the lease's ·
 * `order.terminal`: an order may want a terminal; then `lease.command` and `lease.news` are said about it ·
 * `order.pipes`: that terminal may be pipes, whose output is told as that of any other script ·
 * `order.inputs`: an order names files that are to be fetched ·
 * `order.collect`: an order wants files that are left to be sent ·
 * `result.certificate`: a result may have a timing certificate ·
 * `report.cache`: a report may say what the agent's cache and disk are like · `order.trace`: an order may belong to a trace ·
 * `message.pieces`: a long message may come in pieces (message-pieces) · `result.packed`: outputs of a result may be packed (packed-outputs).
 */
export const additions = [
  ...(['order.environment', 'executions.ended', 'order.tests', 'order.terminal'] as const),
  ...(['order.inputs', 'order.collect', 'result.certificate'] as const),
  ...(['report.cache', 'order.trace', 'order.pipes', 'message.pieces', 'result.packed'] as const),
] as const;
export type Addition = (typeof additions)[number];

/** What one side says that it takes; names of a later release mean nothing to this one. */
export const Additions = Type.Array(Type.String({ maxLength: 64 }), {
  maxItems: 64,
  description: 'Optional parts of the protocol that this side understands; absent: none.',
});

/** Why a connection is closed by us. */
export const closeCodes = {
  protocolMismatch: 4000,
  refused: 4001,
  superseded: 4002,
  heartbeatMissed: 4003,
  messageInvalid: 4004,
  draining: 4005,
} as const;

/** The largest message in bytes: a request of 32 MiB in base64 with room around it. */
export const MESSAGE_BYTES_MAX = 96 * 1024 * 1024;
/** Of them, what clients or programs may make large; the rest is left for everything else. */
export const CONTENT_BYTES_MAX = 80 * 1024 * 1024;

/** The release of this code, told in greetings and descriptions; nothing is decided by it. */
export const RELEASE = '0.1.0';
