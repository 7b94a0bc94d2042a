/**
 * Owns every setting of the builder: name, default, unit, sentence. `stagingDirectory` is read from ENVICUTOR_BUILDER_STAGING_DIRECTORY.
 * Never reads the environment itself (shared/config does) and has no side effect when imported: documentation derives from it.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from '../../shared/model/closed.ts';

/** Prefix of the builder's environment variables. */
export const CONFIG_PREFIX = 'ENVICUTOR_BUILDER';

const text = (value: string, description: string) => Type.String({ default: value, description });
const integer = (value: number, minimum: number, description: string) =>
  Type.Integer({ default: value, minimum, description });

/** The builder's configuration. */
export const BuilderConfig = Closed({
  socketPath: text('/run/envicutor/builder.sock', 'Unix socket to listen on; its folder decides who may connect.'),
  launcherSocketPath: text('/run/envicutor/builder-launcher.sock', "Unix socket of the builder's own launcher."),
  stateDirectory: text('/var/lib/envicutor/builder', 'Folder of the index of parent layers and of their downloads.'),
  stagingDirectory: text('/var/lib/envicutor/staging', 'Folder in which the verifier finds built layers.'),
  stagingTtlMs: integer(3_600_000, 1000, 'A staged layer that nobody removed goes after so long; milliseconds.'),
  cacheBytesMax: integer(20 * 1024 ** 3, 1, 'Parent layers that are kept ready; bytes of their tars and indexes.'),
  concurrencyMax: integer(2, 1, 'Builds that run at the same time; more wait.'),
  waitingMax: integer(256, 0, 'Builds that may wait; beyond it: 503.'),
  cpuShares: integer(1024, 2, 'Weight of a build against other sandboxes of this machine, 1024 for one ordinary one.'),
  debianMirror: text('', "Debian archive that bases are made from, a URL; empty: mmdebstrap's own default."),
  upstreamProxy: text(
    '',
    'Your own HTTP proxy, http://[user:password@]host:port, that builds go through; empty: none.',
  ),
  caBundlePath: text('', "PEM file of the roots that registries are verified with; empty: the system's bundle."),
  coordinatorCaFile: text(
    '',
    'PEM file of an authority by which https:// addresses of layers are known besides the usual ones; empty: those only.',
  ),
  artefactDirectory: text(
    '',
    'Folder in which fetched artefacts are kept for later builds; empty: `artefacts` in stateDirectory.',
  ),
  artefactBytesMax: integer(10 * 1024 ** 3, 0, 'Kept artefacts together; bytes; 0: nothing is kept.'),
  artefactBodyBytesMax: integer(1024 ** 3, 0, 'A larger artefact is not kept; bytes.'),
  logLevel: OneOf(['debug', 'info', 'warn', 'error'], { default: 'info', description: 'Least level that is logged.' }),
});
export type BuilderConfig = Static<typeof BuilderConfig>;
