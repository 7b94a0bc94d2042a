/**
 * Owns who may ask: in keyed mode the Bearer key's tenant; in embedded mode anybody who reaches a loopback address by its own name and is
 * not a foreign page in a browser. Never looks at bodies. The same rules hold for HTTP and for upgrades.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SystemError } from '../../shared/errors.ts';
import { type KeyRing, localTenant, type Tenant } from '../tenants/keys.ts';

/** Decides who asks; SystemError `unauthenticated` or `forbidden`. */
export type Authenticate = (headers: IncomingHttpHeaders) => Tenant;

const loopbackHost = /^(127(\.\d{1,3}){3}|\[::1\]|localhost)(:\d{1,5})?$/i;

/** Is this address one that only this machine can reach? */
export function isLoopback(host: string): boolean {
  return host === '::1' || loopbackHost.test(host);
}

/** The embedded mode's rule; a page of another origin and a name that was pointed at us are refused. */
function authenticateLocal(headers: IncomingHttpHeaders): Tenant {
  const { host, origin } = headers;
  if (host === undefined || !loopbackHost.test(host)) {
    throw new SystemError(
      'forbidden',
      `without keys only a loopback host is served, not '${host ?? ''}'; see tenantsFile`,
    );
  }
  const site = headers['sec-fetch-site'];
  const isOwnOrigin = origin === undefined || origin === `http://${host}`;
  if (!isOwnOrigin || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
    throw new SystemError('forbidden', 'pages of another origin may not use this instance');
  }
  return localTenant;
}

/** Authentication by the keys of a ring, or the embedded mode's when there is none. */
export function createAuthentication(keys: KeyRing | null): Authenticate {
  if (keys === null) return authenticateLocal;
  return ({ authorization }) => {
    const key = /^Bearer +([!-~]+)$/i.exec(authorization ?? '')?.[1];
    const tenant = key === undefined ? null : keys.find(key);
    if (tenant !== null) return tenant;
    throw new SystemError('unauthenticated', 'send Authorization: Bearer with a key of your tenant');
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
