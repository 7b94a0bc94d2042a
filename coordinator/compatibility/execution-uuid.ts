/**
 * Owns spelling an execution's id as a UUID and back, for protocols that name what runs by UUIDs: both are the same 128 bits, so nothing is to be
 * remembered, whichever coordinator is asked and however often it was started since. Pure.
 */
import { type ExecutionId, toBase32 } from '../../shared/ids.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const BYTES = 16;

/** The UUID of an execution. */
export function toUuid(id: ExecutionId): string {
  let bits = 0n;
  for (const character of id.slice(id.indexOf('_') + 1)) bits = (bits << 5n) | BigInt(alphabet.indexOf(character));
  // 26 characters are 130 bits.
  const hex = (bits >> 2n).toString(16).padStart(2 * BYTES, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The execution of a UUID; null: it is none that we give. */
export function fromUuid(uuid: string): ExecutionId | null {
  const text = uuid.toLowerCase();
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text)) return null;
  return `exec_${toBase32(Buffer.from(text.replaceAll('-', ''), 'hex'))}`;
}
