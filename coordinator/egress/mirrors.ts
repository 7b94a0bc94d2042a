/**
 * Owns where a request goes in place of its host when the operator has a mirror of it. Pure.
 * Never changes what is recorded as the URL: a lock file, a provenance and the build's own view name the true host.
 */
import type { Mirror } from '../../shared/model/egress.ts';
import type { Destination } from './admission.ts';

/** The way of one request: whom to dial and what to ask for there. */
export interface Route {
  readonly destination: Destination;
  readonly path: string;
  /** The mirror's URL, or null when the host itself is asked. */
  readonly mirror: string | null;
}

/** The way of a request for `path` at `destination`. */
export function toRoute(mirrors: readonly Mirror[], destination: Destination, path: string): Route {
  const mirror = mirrors.find(({ host }) => host === destination.host);
  if (mirror === undefined) return { destination, path, mirror: null };
  const url = new URL(mirror.url);
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  return {
    destination: { scheme, host: url.hostname, port },
    path: url.pathname.replace(/\/$/, '') + path,
    mirror: mirror.url,
  };
}
