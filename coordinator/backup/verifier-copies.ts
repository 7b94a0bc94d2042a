/**
 * Owns what of the verifier's folder is in a backup: its keys, what it has signed of trust and of agents. Never copies anything else of it.
 * Invariants: a copy is of one moment, though keys are turned over by renames; what is signed after a restore has a higher number than anything that
 * was signed before it, since agents and clients refuse what is older than what they have seen.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemError } from '../../shared/errors.ts';
import { AGENT_KEY_LEDGER } from '../environments/verifier/agent-key-signer.ts';
import { keyFiles } from '../environments/verifier/signing-key.ts';
import { TRUST_LEDGER } from '../environments/verifier/trust-signer.ts';

/** Numbers that nobody reaches between two restores: one a minute would take two thousand years. */
const AHEAD = 1_000_000_000;
const READS_MAX = 100;
const ledgers: readonly string[] = [TRUST_LEDGER, AGENT_KEY_LEDGER];
const names = [...Object.values(keyFiles), ...ledgers];

/** File name to content. */
export type VerifierFiles = ReadonlyMap<string, Buffer>;

/** What the folder holds at one moment; SystemError `requirement-missing` when there is no signing key. */
export async function readVerifier(directory: string): Promise<VerifierFiles> {
  let before = await readAll(directory);
  for (let reads = 1; reads < READS_MAX; reads += 1) {
    const now = await readAll(directory);
    if (isSame(before, now) && now.has(keyFiles.present)) return now;
    before = now;
  }
  throw new SystemError(
    'requirement-missing',
    `${directory} has no ${keyFiles.present}, or changes all the time; set ENVICUTOR_VERIFIER_STATE_DIRECTORY to the folder of the verifier's keys`,
  );
}

async function readAll(directory: string): Promise<VerifierFiles> {
  const found = await Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(directory, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      });
      return bytes === null ? [] : [[name, bytes] as const];
    }),
  );
  return new Map(found.flat());
}

function isSame(one: VerifierFiles, other: VerifierFiles): boolean {
  return one.size === other.size && [...one].every(([name, bytes]) => other.get(name)?.equals(bytes) === true);
}

/** The same with numbers that were never given out. */
export function aheadOfEverySignature(name: string, bytes: Buffer): Buffer {
  if (!ledgers.includes(name)) return bytes;
  const ledger: { version: number } = JSON.parse(bytes.toString('utf8'));
  return Buffer.from(JSON.stringify({ ...ledger, version: ledger.version + AHEAD }));
}
