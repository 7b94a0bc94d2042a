/**
 * Owns a verifier's ledger as a file: what was signed so far, which is written before it is handed out.
 * Never decides what goes in. Invariant: a damaged ledger is never taken for an empty one.
 */
import { readFile } from 'node:fs/promises';
import type { Static, TSchema } from '@sinclair/typebox';
import type { TypeCheck } from '@sinclair/typebox/compiler';
import { SystemError } from '../../../shared/errors.ts';

/**
 * What the file holds; `empty` when there is none yet. SystemError `configuration-invalid` when it does not pass the check; `forgotten` names what
 * would be lost with it.
 */
export async function readLedger<Schema extends TSchema>(
  path: string,
  check: TypeCheck<Schema>,
  empty: Static<Schema>,
  forgotten: string,
): Promise<Static<Schema>> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return empty;
  let ledger: unknown;
  try {
    ledger = JSON.parse(text);
  } catch {
    ledger = null;
  }
  if (check.Check(ledger)) return ledger;
  const detail = `${path} is damaged; restore it, since without it ${forgotten} are forgotten`;
  throw new SystemError('configuration-invalid', detail);
}
