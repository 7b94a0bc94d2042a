/**
 * Owns what a build sandbox is given so that unmodified clients use the build network: files below /run/envicutor and variables.
 * Never touches the system's certificate bundle: ca-certificates must stay installable (docs/build-network.md).
 * Invariant: every setting names ca.crt or a file made from it; nothing here may end up in a captured layer.
 */
import { X509Certificate } from 'node:crypto';
import { SYSTEM_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import type { SandboxFile } from '../../shared/sandbox/sandbox.ts';
import type { BuildAuthority } from './certificates.ts';
import { toTrustStore } from './trust-store.ts';

export { type BuildAuthority, createBuildAuthority } from './certificates.ts';

/** Where the build network's names and listeners are, inside the build's network namespace only. */
export const BUILD_NETWORK_ADDRESS = '198.18.0.1';

const certificatePath = `${SYSTEM_DIRECTORY}/ca.crt`;

/** The system files of a build with network: certificate, client configurations, resolv.conf and hosts. */
export function buildSystemFiles(authority: BuildAuthority): readonly SandboxFile[] {
  const file = (path: string, content: string | Uint8Array): SandboxFile => ({
    path,
    isExecutable: false,
    content: typeof content === 'string' ? Buffer.from(content) : content,
  });
  return [
    file('ca.crt', authority.certificatePem),
    file('apt.conf', `Acquire::https::CaInfo "${certificatePath}";\nAcquire::Retries "2";\n`),
    file('wgetrc', `ca_certificate = ${certificatePath}\n`),
    file('cacerts.jks', toTrustStore(authority.certificatePem)),
    file('resolv.conf', `nameserver ${BUILD_NETWORK_ADDRESS}\noptions timeout:2 attempts:2\n`),
    file('hosts', '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n'),
  ];
}

/** The variables by which each client finds the certificate; docs/build-network.md says which client needs which. */
export function buildNetworkVariables(): Readonly<Record<string, string>> {
  return {
    SSL_CERT_FILE: certificatePath,
    REQUESTS_CA_BUNDLE: certificatePath,
    NODE_EXTRA_CA_CERTS: certificatePath,
    npm_config_cafile: certificatePath,
    GIT_SSL_CAINFO: certificatePath,
    CARGO_HTTP_CAINFO: certificatePath,
    APT_CONFIG: `${SYSTEM_DIRECTORY}/apt.conf`,
    WGETRC: `${SYSTEM_DIRECTORY}/wgetrc`,
    JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${SYSTEM_DIRECTORY}/cacerts.jks`,
    AWS_CA_BUNDLE: certificatePath,
    DENO_CERT: certificatePath,
  };
}

/** Byte sequences of which none may occur in a layer: the authority's public key as DER, and a line of its certificate as PEM. */
export function authorityTraces(certificatePem: string): readonly Uint8Array[] {
  const point = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' }).subarray(-64);
  const lines = certificatePem.split('\n');
  return [point, Buffer.from(lines[Math.floor(lines.length / 2)] ?? certificatePem)];
}
