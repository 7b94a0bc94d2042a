/**
 * Owns the certificates of one build: a P-256 authority made for it alone, and leaves for the hosts that it speaks to.
 * Never reads a certificate's structure (der.ts only writes) and never writes a key anywhere but into its caller's hands.
 * Invariant: what is made passes `openssl verify -x509_strict`; at most `leavesMax` leaves are kept, whatever names a build sends.
 */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Clock, type Random, systemClock, systemRandom } from '../../shared/clock.ts';
import { bits, boolean, context, integer, objectIdentifier, octets, sequence, setOf, time, utf8 } from './der.ts';

/** A certificate authority as text: PEM, PKCS #8 for the key. */
export interface BuildAuthority {
  readonly certificatePem: string;
  readonly keyPem: string;
}

const DAY_MS = 86_400_000;
const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));

const commonName = (name: string): Buffer =>
  sequence(setOf(sequence(objectIdentifier('2.5.4.3'), utf8(name.slice(0, 64)))));

function extension(id: string, isCritical: boolean, value: Uint8Array): Buffer {
  return sequence(objectIdentifier(id), ...(isCritical ? [boolean(true)] : []), octets(value));
}

const publicKeyInfo = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/** RFC 5280 §4.2.1.2, method 1: SHA-1 of the public key's bits; the last 65 octets of a P-256 key are its point. */
const keyIdentifier = (info: Buffer): Buffer => createHash('sha1').update(info.subarray(-65)).digest();

interface Content {
  readonly serial: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly info: Buffer;
  readonly extensions: readonly Uint8Array[];
}

function certify(content: Content, signer: KeyObject): string {
  const tbs = sequence(
    context(0xa0, integer(Buffer.of(2))),
    integer(content.serial),
    ecdsaWithSha256,
    commonName(content.issuer),
    sequence(time(content.fromMs), time(content.untilMs)),
    commonName(content.subject),
    content.info,
    context(0xa3, sequence(...content.extensions)),
  );
  const certificate = sequence(tbs, ecdsaWithSha256, bits(sign('sha256', tbs, signer)));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const serialNumber = (random: Random): Uint8Array => Buffer.concat([Buffer.of(0x40), random.bytes(15)]);

/** Makes a certificate authority for one build: P-256, from a day ago to a week ahead; nothing else ever signs with its key. */
export function createBuildAuthority(clock: Clock = systemClock, random: Random = systemRandom): BuildAuthority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const serial = serialNumber(random);
  const name = `Envicutor build ${Buffer.from(serial).toString('hex').slice(2, 14)}`;
  const info = publicKeyInfo(publicKey);
  const certificatePem = certify(
    {
      serial,
      issuer: name,
      subject: name,
      fromMs: clock.nowMs() - DAY_MS,
      untilMs: clock.nowMs() + 7 * DAY_MS,
      info,
      extensions: [
        extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.of(0)))),
        extension('2.5.29.15', true, bits(Buffer.of(0x06), 1)),
        extension('2.5.29.14', false, octets(keyIdentifier(info))),
        extension('2.5.29.35', false, sequence(context(0x80, keyIdentifier(info)))),
      ],
    },
    privateKey,
  );
  return { certificatePem, keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

/** Leaves for host names, one key for all of them (it lives as long as this process). */
export interface LeafIssuer {
  /** The leaf's certificate, PEM; `host` must be a valid host name. */
  certificateFor(host: string): string;
  /** The same, ready for a TLS server. */
  contextFor(host: string): SecureContext;
}

/** Signs leaves with the build's authority and keeps the `leavesMax` latest. Throws when certificate and key don't belong together. */
export function createLeafIssuer(
  authority: BuildAuthority,
  leavesMax = 256,
  random: Random = systemRandom,
): LeafIssuer {
  const issuer = new X509Certificate(authority.certificatePem);
  const signer = createPrivateKey(authority.keyPem);
  if (!issuer.checkPrivateKey(signer)) throw new Error("the build authority's key does not belong to its certificate");
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const info = publicKeyInfo(publicKey);
  const issuerIdentifier = keyIdentifier(publicKeyInfo(issuer.publicKey));
  const issuerName = issuer.subject.replace(/^CN=/, '');
  const contexts = new Map<string, SecureContext>();

  const certificateFor = (host: string): string =>
    certify(
      {
        serial: serialNumber(random),
        issuer: issuerName,
        subject: host,
        fromMs: issuer.validFromDate.getTime(),
        untilMs: issuer.validToDate.getTime(),
        info,
        extensions: [
          extension('2.5.29.17', false, sequence(context(0x82, Buffer.from(host, 'ascii')))),
          extension('2.5.29.19', true, sequence()),
          extension('2.5.29.15', true, bits(Buffer.of(0x80), 7)),
          extension('2.5.29.37', false, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))),
          extension('2.5.29.14', false, octets(keyIdentifier(info))),
          extension('2.5.29.35', false, sequence(context(0x80, issuerIdentifier))),
        ],
      },
      signer,
    );

  return {
    certificateFor,
    contextFor(host) {
      const known = contexts.get(host);
      if (known !== undefined) return known;
      const made = createSecureContext({ key, cert: certificateFor(host) });
      const [oldest] = contexts.keys();
      if (contexts.size >= leavesMax && oldest !== undefined) contexts.delete(oldest);
      contexts.set(host, made);
      return made;
    },
  };
}
