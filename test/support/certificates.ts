/**
 * Owns certificates for tests, made by openssl: an authority, and servers of 127.0.0.1 that it vouches for. Never more than files in a folder.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });

/** An authority in a folder. */
export class TestAuthority {
  readonly caFile: string;
  readonly #folder: string;
  readonly #keyFile: string;
  #number = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.caFile = join(folder, 'ca.pem');
    this.#keyFile = join(folder, 'ca.key');
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', this.#keyFile];
    openssl('req', '-x509', ...key, '-out', this.caFile, '-days', '2', '-subj', '/CN=test authority');
  }

  /** Certificate and key of a server; `days` 0: it is over at once. */
  issue(commonName: string, days = 2): { certFile: string; keyFile: string } {
    const name = join(this.#folder, `server-${++this.#number}`);
    const [certFile, keyFile, request, extensions] = ['.pem', '.key', '.csr', '.ext'].map((end) => name + end) as [
      string,
      string,
      string,
      string,
    ];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
    openssl('req', '-new', ...key, '-out', request, '-subj', `/CN=${commonName}`);
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1\n');
    const signer = ['-CA', this.caFile, '-CAkey', this.#keyFile, '-extfile', extensions];
    openssl('x509', '-req', '-in', request, ...signer, '-out', certFile, '-days', String(days));
    return { certFile, keyFile };
  }
}
