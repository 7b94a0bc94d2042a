/**
 * Owns the protocol's version and the names of the WebSocket close codes.
 * Invariant: within one version only optional things are added; the coordinator speaks N and N-1.
 */

/** The version that this code speaks. */
export const PROTOCOL_VERSION = 1;
/** The versions that a coordinator accepts. */
export const acceptedVersions: readonly number[] = [1];

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

/** The release of this code, told in greetings and descriptions; nothing is decided by it. */
export const RELEASE = '0.1.0';
