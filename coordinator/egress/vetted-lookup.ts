/**
 * Owns dialling what was vetted and nothing else: a lookup for sockets that hands on the addresses that somebody has looked at. Never resolves by itself.
 * Invariant: between the look and the dial no name is resolved again.
 */
import type { LookupFunction } from 'node:net';
import type { AddressPolicy } from './address-policy.ts';

/** An address of a host and its family. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Resolves a host name; rejects with a code of the resolver (ENOTFOUND, EAI_AGAIN). */
export type Resolve = (host: string) => Promise<readonly ResolvedAddress[]>;

/** The first address that may not be dialled, and why; null: all may. One bad address spoils the name: a public one beside it is how rebinding starts. */
export function findDenied(
  found: readonly ResolvedAddress[],
  addresses: AddressPolicy,
): { readonly address: string; readonly why: string } | null {
  for (const { address } of found) {
    const why = addresses.whyDenied(address);
    if (why !== null) return { address, why };
  }
  return null;
}

/** A socket's lookup that gives out what `vet` resolves with, and fails as it does. */
export function toLookup(vet: Resolve): LookupFunction {
  return (host, options, done) => {
    vet(host).then(
      (found) => {
        if (options.all === true) return done(null, [...found]);
        done(null, found[0]?.address ?? '', found[0]?.family);
      },
      (error: unknown) => done(error as NodeJS.ErrnoException, ''),
    );
  };
}
