/**
 * Owns the dates in a Java key store (JKS) of trusted certificates: each is set to the build's epoch, and the closing digest made anew.
 * Never touches a store with a private key, with another password than the customary one, or of any other form.
 */
import { buildVariables } from '../../shared/model/toolchain-variables.ts';
import { trustStoreDigest } from '../egress/trust-store.ts';

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
const DIGEST_BYTES = 20;
const HEADER_BYTES = 12;

/** The same store with every date at the epoch, or null when it is no store of this kind. */
export function withoutEntryDates(store: Buffer): Buffer | null {
  if (store.length < HEADER_BYTES + DIGEST_BYTES) return null;
  if (store.readUInt32BE(0) !== MAGIC || store.readUInt32BE(4) !== VERSION) return null;
  const contents = Buffer.from(store.subarray(0, -DIGEST_BYTES));
  if (!trustStoreDigest(contents).equals(store.subarray(-DIGEST_BYTES))) return null;
  const epochMs = BigInt(buildVariables['SOURCE_DATE_EPOCH'] ?? 0) * 1000n;
  try {
    const dates = datesOf(contents);
    if (dates === null) return null;
    for (const offset of dates) contents.writeBigUInt64BE(epochMs, offset);
  } catch (error) {
    // The store ends within an entry.
    if (error instanceof RangeError) return null;
    throw error;
  }
  return Buffer.concat([contents, trustStoreDigest(contents)]);
}

/** Where the entries' dates stand; null when an entry is no trusted certificate, or something follows the last one. */
function datesOf(contents: Buffer): number[] | null {
  const dates: number[] = [];
  const count = contents.readUInt32BE(8);
  let offset = HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    if (contents.readUInt32BE(offset) !== TRUSTED_CERTIFICATE) return null;
    offset += 4;
    offset += 2 + contents.readUInt16BE(offset); // alias
    dates.push(offset);
    offset += 8;
    offset += 2 + contents.readUInt16BE(offset); // type
    offset += 4 + contents.readUInt32BE(offset); // certificate
  }
  return offset === contents.length ? dates : null;
}
