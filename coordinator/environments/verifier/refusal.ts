/**
 * Owns the named reasons for which a layer is not published, and the error that carries one.
 * Never leaves the verifier's process: its HTTP answer is a SystemError `publication-refused` that names the reason.
 */

/** Why a staged layer is refused; docs/layers.md says what each means. */
export const refusalReasons = [
  'staging-missing',
  'staging-not-a-file',
  'staging-changed',
  'blob-size',
  'blob-digest',
  'blob-not-zstd',
  'blob-trailing-bytes',
  'blob-expands-too-much',
  'tar-digest',
  'tar-size',
  'tar-entries',
  'tar-rules',
  'tar-truncated',
  'tar-trailing-bytes',
  'tar-header',
  'tar-checksum',
  'tar-padding',
  'tar-pax',
  'tar-path',
  'tar-order',
  'tar-parent',
  'tar-type',
  'tar-link',
  'tar-device',
  'tar-mode',
  'tar-owner',
  'tar-time',
  'tar-too-large',
  'variables',
  'parents',
  'reproduction-scope',
  'reproduction-parents',
  'reproduction-same-build',
  'reproduction-provenance',
  'reproduction-incomplete',
  'reproduction-credentials',
  'reproduction-plain-http',
  'reproduction-materials',
  'reproduction-differs',
] as const;

/** One of `refusalReasons`. */
export type RefusalReason = (typeof refusalReasons)[number];

/** A layer is refused for this reason; the message tells what was found where. */
export class Refusal extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.name = 'Refusal';
    this.reason = reason;
  }
}
