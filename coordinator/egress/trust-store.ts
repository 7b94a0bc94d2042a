/**
 * Owns the one-entry Java key store (JKS) by which a JVM trusts the build's authority, so that no Java is needed to make it.
 * Never holds a private key.
 * Invariant: the same certificate and time give the same bytes.
 */
import { createHash, X509Certificate } from 'node:crypto';

const PASSWORD = 'changeit';

const u32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
};

const text = (value: string): Buffer => {
  const content = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(content.length);
  return Buffer.concat([length, content]);
};

/** A JKS file that trusts exactly this certificate; its integrity password is the customary `changeit`. */
export function toTrustStore(certificatePem: string): Buffer {
  const certificate = new X509Certificate(certificatePem);
  const createdAt = Buffer.alloc(8);
  createdAt.writeBigUInt64BE(BigInt(certificate.validFromDate.getTime()));
  const store = Buffer.concat([
    u32(0xfeedfeed), // magic
    u32(2), // version
    u32(1), // entries
    u32(2), // a trusted certificate
    text('envicutor-build'),
    createdAt,
    text('X.509'),
    u32(certificate.raw.length),
    certificate.raw,
  ]);
  return Buffer.concat([store, trustStoreDigest(store)]);
}

/** The keyed digest that ends a key store of the customary password: the password as UTF-16BE, Java's magic phrase, contents. */
export function trustStoreDigest(contents: Uint8Array): Buffer {
  const password = Buffer.from(PASSWORD, 'utf16le').swap16();
  return createHash('sha1').update(password).update('Mighty Aphrodite').update(contents).digest();
}
