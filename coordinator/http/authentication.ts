/**
 * Owns who may ask: in keyed mode the Bearer key's tenant; in embedded mode anybody who reaches a loopback address by its own name and is
 * not a foreign page in a browser. Never looks at bodies. The same rules hold for HTTP and for upgrades.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SystemError } from '../../shared/errors.ts';
import { bearerOf, requireLoopback } from '../../shared/http/loopback.ts';
import { type Asker, localAsker, type Tenant } from '../tenants/keys.ts';

/** Decides who asks, at once but for a key that may have been issued a moment ago; SystemError `unauthenticated` or `forbidden`. */
export type Authenticate = (headers: IncomingHttpHeaders) => Asker | Promise<Asker>;

/** Who knows keys. */
export interface KnownKeys {
  find(key: string): Asker | null;
  /** Looks further for what `find` does not know. */
  lookFor(key: string): Promise<Asker | null>;
}

/** The embedded mode's rule. */
function authenticateLocal(headers: IncomingHttpHeaders): Asker {
  requireLoopback(headers, (host) => `without keys only a loopback host is served, not '${host}'; see tenantsFile`);
  return localAsker;
}

const toUnknown = () => new SystemError('unauthenticated', 'send Authorization: Bearer with a key of your tenant');

/** Authentication by the keys of a ring, or the embedded mode's when there is none. */
export function createAuthentication(keys: KnownKeys | null): Authenticate {
  if (keys === null) return authenticateLocal;
  return (headers) => {
    const key = bearerOf(headers);
    if (key === null) throw toUnknown();
    const known = keys.find(key);
    if (known !== null) return known;
    return keys.lookFor(key).then((found) => {
      if (found === null) throw toUnknown();
      return found;
    });
  };
}

/** Throws SystemError `forbidden` unless the tenant may operate this instance. */
export function requireOperator(tenant: Tenant): void {
  if (!tenant.isOperator) throw new SystemError('forbidden', `tenant '${tenant.id}' does not operate this instance`);
}

/** The same rules for an agent's upgrade: agents prove themselves later, but no web page may open a socket. */
export function checkUpgrade(
  isEmbedded: boolean,
): (request: IncomingMessage) => { http: number; sentence: string } | null {
  return ({ headers }) => {
    try {
      if (isEmbedded) authenticateLocal(headers);
      if (headers.origin !== undefined) throw new SystemError('forbidden', 'agents are no web pages');
      return null;
    } catch (error) {
      if (error instanceof SystemError) return { http: error.http, sentence: error.message };
      throw error;
    }
  };
}
