/**
 * Owns resolving receivers' names by DNS. Never by the system's resolver: that takes one of the process's few threads for as long as a name server likes,
 * and names here are strangers'. So what only the hosts file knows has no address.
 */
import { Resolver } from 'node:dns/promises';
import type { Resolve } from '../egress/vetted-lookup.ts';

const TIMEOUT_MS = 2000;
const TRIES = 2;

/** All IPv4 and IPv6 addresses of a name; rejects when it has neither. */
export const resolveByDns: Resolve = async (host) => {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  const asked = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = asked.flatMap((answer, index) =>
    answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family: index === 0 ? 4 : 6 })) : [],
  );
  const [first] = asked;
  if (found.length === 0 && first?.status === 'rejected') throw first.reason;
  return found;
};
