/**
 * Owns reading the authority by which others are known that serve over TLS: certificates in a PEM file, in the place of the system's.
 * Never checks a connection: whoever dials gives the certificates to it.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SystemError } from '../errors.ts';

/** The file's content; undefined for none. SystemError `configuration-invalid` when it holds no certificate. */
export function readAuthority(path: string): string | undefined {
  if (path === '') return undefined;
  try {
    const text = readFileSync(path, 'utf8');
    if (new X509Certificate(text).subject === undefined) throw new Error('it names nobody');
    return text;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const detail = `the authority ${path} can't be used: ${said}; give certificates in PEM`;
    throw new SystemError('configuration-invalid', detail, { cause });
  }
}
