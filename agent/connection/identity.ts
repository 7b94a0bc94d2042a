/**
 * Owns who this agent is: its Ed25519 key pair and, after enrolment, its id, both in the state directory, readable by its user only.
 * Never lets the private key out; it signs, nothing more, and nothing but answers to challenges and receipts.
 * Invariants: files are replaced as a whole, so that a crash leaves the old or the new one; whatever a coordinator asks for, no answer to a
 * challenge is a receipt.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type SigningKey, toSigningKey } from '../../shared/layers/envelope.ts';
import type { ReceiptStatement } from '../../shared/model/receipt.ts';
import { challengeText } from '../../shared/protocol/agent-messages.ts';
import { signReceipt } from '../../shared/receipts/receipt.ts';

const KEY_FILE = 'agent-key.pem';
const ID_FILE = 'agent-id';

/** This agent's identity. */
export class Identity {
  /** Ed25519 public key, SPKI DER in base64. */
  readonly publicKey: string;
  readonly #directory: string;
  readonly #key: SigningKey;
  #agentId: string | null;
  #kept: Promise<void> = Promise.resolve();

  private constructor(directory: string, privateKey: KeyObject, agentId: string | null) {
    this.#directory = directory;
    this.#key = toSigningKey(privateKey);
    this.#agentId = agentId;
    this.publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  }

  /** Reads the identity kept in `directory`, or makes one there; rejects with the file system's error. */
  static async open(directory: string): Promise<Identity> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    let pem = await readIfPresent(join(directory, KEY_FILE));
    if (pem === null) {
      pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      await replaceFile(directory, KEY_FILE, pem);
    }
    const agentId = (await readIfPresent(join(directory, ID_FILE)))?.trim() ?? null;
    return new Identity(directory, createPrivateKey(pem), agentId);
  }

  /** The id that a coordinator gave, or null before enrolment. */
  get agentId(): string | null {
    return this.#agentId;
  }

  /** Keeps the id for the next start. */
  async enrolled(agentId: string): Promise<void> {
    if (agentId === this.#agentId) return;
    this.#agentId = agentId;
    this.#kept = replaceFile(this.#directory, ID_FILE, `${agentId}\n`);
    await this.#kept;
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#kept.catch(() => undefined);
  }

  /** The answer to a coordinator's challenge, base64. */
  prove(nonce: string): string {
    return sign(null, Buffer.from(challengeText(nonce)), this.#key.privateKey).toString('base64');
  }

  /** The receipt of a result. */
  sign(statement: ReceiptStatement): string {
    return signReceipt(statement, this.#key);
  }
}

async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function replaceFile(directory: string, name: string, content: string): Promise<void> {
  const path = join(directory, name);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
