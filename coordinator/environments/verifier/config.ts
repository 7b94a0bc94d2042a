/**
 * Owns every setting of the verifier: name, default, unit, sentence. `stateDirectory` is read from ENVICUTOR_VERIFIER_STATE_DIRECTORY.
 * Never reads the environment itself (shared/config does) and has no side effect when imported: documentation derives from it.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from '../../../shared/model/closed.ts';

/** Prefix of the verifier's environment variables. */
export const CONFIG_PREFIX = 'ENVICUTOR_VERIFIER';

const text = (value: string, description: string) => Type.String({ default: value, description });
const secret = (description: string) => Type.String({ default: '', description, secret: true });
const integer = (value: number, minimum: number, description: string) =>
  Type.Integer({ default: value, minimum, description });

/** The verifier's configuration. */
export const VerifierConfig = Closed({
  socketPath: text('/run/envicutor/verifier.sock', 'Unix socket to listen on; its folder says who may connect.'),
  stateDirectory: text('/var/lib/envicutor/verifier', 'Folder of the signing key; for nobody else to read.'),
  stagingDirectory: text('/var/lib/envicutor/staging', 'Folder in which the builder leaves finished layers.'),
  storeKind: OneOf(['directory', 'minio'], {
    default: 'directory',
    description: 'Where layers are kept: a local directory, or MinIO (any S3-compatible store).',
  }),
  storeDirectory: text(
    '/var/lib/envicutor/store',
    'The directory when storeKind is directory; written only from here.',
  ),
  minioEndpoint: text('', 'URL of MinIO when storeKind is minio, for example http://10.0.0.5:9000.'),
  minioBucket: text('envicutor', 'Bucket of the cache.'),
  minioRegion: text('us-east-1', 'Region that requests are signed for.'),
  minioAccessKey: text('', 'Access key of a user that may only read.'),
  minioSecretKey: secret('Secret key of that user.'),
  minioWriterAccessKey: text('', 'Access key of the user that may write; given to no other process.'),
  minioWriterSecretKey: secret('Secret key of that user.'),
  minioPurgerAccessKey: text('', 'Access key of the user that may list and delete; empty: nothing is ever removed.'),
  minioPurgerSecretKey: secret('Secret key of that user.'),
  trustLifetimeMs: integer(
    3_600_000,
    1000,
    'How long a trust state is good; past it agents use no layer; milliseconds.',
  ),
  layerEntriesMax: integer(500_000, 1, 'Files, directories and links of one layer.'),
  layerBytesMax: integer(17_179_869_184, 1024, "Size of one layer's uncompressed tar; bytes."),
  logLevel: OneOf(['debug', 'info', 'warn', 'error'], { default: 'info', description: 'Least level that is logged.' }),
});
export type VerifierConfig = Static<typeof VerifierConfig>;
