/**
 * Owns the trust states that this verifier signs: their numbers, and every revocation that it has ever signed.
 * Never takes a revocation back: a coordinator that lost its memory, or that somebody else speaks for, can't make a revoked layer good again.
 * Invariants: a state's number and revocations are on the disk before it is handed out; numbers only grow.
 */
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Clock, toTimestamp } from '../../../shared/clock.ts';
import { SystemError } from '../../../shared/errors.ts';
import { RevocationList } from '../../../shared/layers/revocation-list.ts';
import { signTrustState } from '../../../shared/layers/trust-state.ts';
import type { Logger } from '../../../shared/logger.ts';
import { Closed } from '../../../shared/model/closed.ts';
import { REVOCATIONS_MAX, Revocation, type SignedTrust, type SigningKeyList } from '../../../shared/model/trust.ts';
import { writeWhole } from '../../../shared/storage/whole-file.ts';
import { readLedger } from './ledger-file.ts';
import type { SigningKeys } from './signing-key.ts';

/** The file of what was signed, in the verifier's folder. */
export const TRUST_LEDGER = 'trust-ledger.json';

const Ledger = Closed({ version: Type.Integer({ minimum: 0 }), revocations: Type.Array(Revocation) });
type Ledger = Static<typeof Ledger>;
const ledgerCheck = TypeCompiler.Compile(Ledger);

/** Neighbours and settings of a signer. */
export interface TrustSignerOptions {
  readonly directory: string;
  readonly keys: SigningKeys;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** How long a state is good; milliseconds. */
  readonly lifetimeMs: number;
  readonly logger: Logger;
}

/** Signs trust states and turns keys over; one call after the other. */
export class TrustSigner {
  readonly #options: TrustSignerOptions;
  readonly #path: string;
  #ledger: Ledger;
  #revoked: RevocationList;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: TrustSignerOptions, ledger: Ledger) {
    this.#options = options;
    this.#path = ledgerPath(options.directory);
    this.#ledger = ledger;
    this.#revoked = new RevocationList(ledger.revocations);
  }

  /** Reads the ledger of the folder; SystemError `configuration-invalid` when it is damaged. */
  static async open(options: TrustSignerOptions): Promise<TrustSigner> {
    const ledger = await readLedger(
      ledgerPath(options.directory),
      ledgerCheck,
      { version: 0, revocations: [] },
      'revocations',
    );
    const signer = new TrustSigner(options, ledger);
    // A retirement that was cut off: the revocation is written first.
    if (options.keys.list().keys.some(({ role, keyid }) => role === 'previous' && signer.#revoked.hasSigner(keyid))) {
      await options.keys.retire();
    }
    return signer;
  }

  /** Everything that was ever revoked. */
  get revoked(): RevocationList {
    return this.#revoked;
  }

  /** A new state: what is revoked already, and these. SystemError `conflict` when there are too many, or the present key is among them. */
  sign(revocations: readonly Revocation[]): Promise<SignedTrust> {
    return this.#inTurn(async () => {
      this.#checkSigners(revocations);
      return await this.#issue(this.#unionWith(revocations));
    });
  }

  /** Makes the next key known; it signs nothing yet. */
  announce(): Promise<SigningKeyList> {
    return this.#turnOver('announced', () => this.#options.keys.announce());
  }

  /** Signs with the next key from now on. */
  switch(): Promise<SigningKeyList> {
    return this.#turnOver('switched', () => this.#options.keys.switch());
  }

  /** Trusts the previous key no more: what it signed is to be built again. */
  retire(): Promise<SigningKeyList> {
    return this.#turnOver('retired', async () => {
      const value = this.#options.keys.previous;
      const revokedAt = toTimestamp(this.#options.clock.nowMs());
      const revocation: Revocation = { kind: 'signing-key', value, isFatal: false, reason: 'retired', revokedAt };
      // Written before the key is gone, so that it stays revoked whatever happens in between.
      await this.#write({ ...this.#ledger, revocations: this.#unionWith([revocation]) });
      await this.#options.keys.retire();
    });
  }

  #turnOver(step: string, turn: () => Promise<void>): Promise<SigningKeyList> {
    return this.#inTurn(async () => {
      await turn();
      const list = this.#options.keys.list();
      this.#options.logger.info(
        { step, keys: list.keys.map(({ role, keyid }) => `${role} ${keyid}`) },
        'signing keys turned over',
      );
      return list;
    });
  }

  #checkSigners(revocations: readonly Revocation[]): void {
    const present = this.#options.keys.signing.keyid;
    if (revocations.some(({ kind, value }) => kind === 'signing-key' && value === present)) {
      throw new SystemError(
        'conflict',
        `key ${present} signs now; announce another, switch to it, then revoke this one`,
      );
    }
  }

  #unionWith(more: readonly Revocation[]): Revocation[] {
    const all = new Map<string, Revocation>();
    for (const revocation of [...this.#ledger.revocations, ...more]) {
      const place = `${revocation.kind} ${revocation.value}`;
      const before = all.get(place);
      // The first counts, unless the later one goes further.
      if (before === undefined || (revocation.isFatal && !before.isFatal)) all.set(place, revocation);
    }
    if (all.size > REVOCATIONS_MAX) {
      throw new SystemError(
        'conflict',
        `there can be ${REVOCATIONS_MAX} revocations; change cacheSalt, or retire a signing key`,
      );
    }
    return [...all.values()];
  }

  async #issue(revocations: Revocation[]): Promise<SignedTrust> {
    const { keys, clock, lifetimeMs } = this.#options;
    const nowMs = clock.nowMs();
    const version = this.#ledger.version + 1;
    await this.#write({ version, revocations });
    const times = { issuedAt: toTimestamp(nowMs), expires: toTimestamp(nowMs + lifetimeMs) };
    const trusted = keys.trusted.filter(({ keyid }) => !this.#revoked.hasSigner(keyid));
    return { envelope: signTrustState({ version, ...times, keys: trusted, revocations }, keys.stateSigning) };
  }

  async #write(ledger: Ledger): Promise<void> {
    await writeWhole(this.#path, JSON.stringify(ledger));
    this.#ledger = ledger;
    this.#revoked = new RevocationList(ledger.revocations);
  }

  #inTurn<Value>(act: () => Promise<Value>): Promise<Value> {
    const turn = this.#last.then(act, act);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function ledgerPath(directory: string): string {
  return join(directory, TRUST_LEDGER);
}
