/**
 * Owns which roots upstreams are verified with: the bundle that the operator names, else the system's, as the host's own clients use it.
 * Never falls back to Node's compiled-in roots: a company's own root is only in the system's bundle.
 * Invariant: without a readable bundle nothing starts.
 */
import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';

// Debian, Ubuntu, Alpine, Arch · Fedora, RHEL · openSUSE · RHEL's extracted form · Alpine, BSD
const customaryPaths = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** PEM roots from `path`, or from the system's bundle when it is null; throws an Error with the remedy when there are none. */
export function loadRoots(path: string | null): string | string[] {
  if (path !== null) return readFileSync(path, 'utf8');
  for (const customary of customaryPaths) {
    const bundle = readIfThere(customary);
    if (bundle?.includes('-----BEGIN') === true) return bundle;
  }
  const roots = getCACertificates('system');
  if (roots.length > 0) return roots;
  throw new Error('no CA bundle found on this system: install ca-certificates, or set caBundlePath');
}
