/**
 * Owns what a capture writes otherwise than the build left it: dates and identities that installing a package invents, so that two
 * builds of the same materials are byte-identical (docs/layers.md has the reasons).
 * Never takes a file away (capture-rules does), and leaves a file alone that is not exactly of the form that it knows.
 * Invariant: a changed rule raises CAPTURE_RULES_VERSION.
 */
import { createHash } from 'node:crypto';
import { buildVariables } from '../../shared/model/toolchain-variables.ts';
import { withoutEntryDates } from './java-trust-store.ts';

/** No file that is rewritten is larger; a larger one is none of those. */
const BYTES_MAX = 4 * 1024 * 1024;
const DAY_SECONDS = 86_400;

/** The day that builds are told is today. */
const today = Math.floor(Number(buildVariables['SOURCE_DATE_EPOCH'] ?? 0) / DAY_SECONDS);

/** Valid, and the same everywhere: programs that ask for it find one, and it names no machine. */
const machineId = createHash('sha256').update('envicutor machine-id').digest('hex').slice(0, 32);

interface Rewrite {
  readonly path: RegExp;
  /** The new content, or null: leave it. */
  readonly change: (content: Buffer) => Buffer | null;
}

const rewrites: readonly Rewrite[] = [
  // The day of the last change of a password is the day of the build.
  { path: /^etc\/shadow-?$/, change: clampShadowDays },
  // An identity of one machine, drawn at random.
  { path: /^(etc|var\/lib\/dbus)\/machine-id$/, change: fixMachineId },
  // Each certificate's date is the moment at which it was put there.
  { path: /(^|\/)cacerts$/, change: withoutEntryDates },
];

/** The content that this file has in the layer, or null when it stays as it is; `read` is only called for a file that may change. */
export function rewritten(path: string, size: number, read: () => Buffer): Buffer | null {
  if (size > BYTES_MAX) return null;
  const rewrite = rewrites.find((one) => one.path.test(path));
  return rewrite === undefined ? null : rewrite.change(read());
}

/** Days after the build's own "today" become that day; 0 (to be changed at once) and older ones mean something and stay. */
function clampShadowDays(content: Buffer): Buffer {
  const lines = content
    .toString('latin1')
    .split('\n')
    .map((line) => {
      const fields = line.split(':');
      const day = fields[2] ?? '';
      if (fields.length !== 9 || !/^[0-9]{1,9}$/.test(day) || Number(day) <= today) return line;
      return fields.with(2, String(today)).join(':');
    });
  return Buffer.from(lines.join('\n'), 'latin1');
}

function fixMachineId(content: Buffer): Buffer | null {
  return /^[0-9a-f]{32}\n?$/.test(content.toString('latin1')) ? Buffer.from(`${machineId}\n`) : null;
}
