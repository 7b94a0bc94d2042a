/**
 * Owns what a client says about an environment, and what we say about one.
 * Never decides identity: that is environment-description.
 */
import { type Static, Type } from '@sinclair/typebox';
import { buildStates } from '../lifecycle/build.ts';
import { Closed, Nullable, OneOf, Variables } from './closed.ts';
import { Limits } from './limits.ts';
import { Encoding, Report } from './verdict.ts';

/** A bytes limit on one script, as text. */
export const SCRIPT_CHARACTERS_MAX = 1_048_576;
/** How many files a request may carry. */
export const FILES_MAX = 1000;

/** A script's text; it holds no NUL. */
export const Script = Type.String({ maxLength: SCRIPT_CHARACTERS_MAX, pattern: '^[^\\u0000]*$' });

/** A file that scripts read: a relative path and its content. */
export const File = Closed({
  path: Type.String({
    minLength: 1,
    maxLength: 4096,
    description: 'Relative, without `.`, `..`, empty or repeated segments.',
  }),
  content: Type.String(),
  encoding: Type.Optional(Encoding),
  executable: Type.Optional(Type.Boolean()),
});
export type File = Static<typeof File>;

/** The bases that we can build. */
export const baseNames = ['debian-13', 'debian-12'] as const;

/** An environment as a client describes it. */
export const EnvironmentRequest = Closed({
  base: Type.Optional(OneOf(baseNames)),
  setup: Type.Optional(Script),
  dependencies: Type.Optional(Script),
  files: Type.Optional(Type.Array(File, { maxItems: FILES_MAX })),
  variables: Type.Optional(Variables),
  secrets: Type.Optional(Variables),
  verify: Type.Optional(Script),
  visibility: Type.Optional(OneOf(['private', 'shareable'])),
  fresh: Type.Optional(Type.Boolean()),
  limits: Type.Optional(Limits),
});
export type EnvironmentRequest = Static<typeof EnvironmentRequest>;

/** The id of an environment that was described before. */
export const EnvironmentReference = Type.String({ pattern: '^env_[0-9a-z]{8,64}$' });

/** The kinds of layer, lowest first. */
export const layerKinds = ['base', 'setup', 'dependencies'] as const;
export type LayerKind = (typeof layerKinds)[number];

/** Where a layer of a result came from. */
export const LayerUse = Closed({
  kind: OneOf(layerKinds),
  digest: Type.String(),
  bytes: Type.Integer({ minimum: 0 }),
  origin: OneOf(['local', 'fetched', 'built']),
});
export type LayerUse = Static<typeof LayerUse>;

/** Who may use an environment's layers. */
export const EnvironmentScope = OneOf(['tenant', 'shared']);

/** An environment as a result names it. */
export const EnvironmentUse = Closed({ id: Type.String(), scope: EnvironmentScope, layers: Type.Array(LayerUse) });
export type EnvironmentUse = Static<typeof EnvironmentUse>;

/** An environment's state for its client. */
export const Environment = Closed({
  id: Type.String(),
  state: OneOf(buildStates),
  scope: EnvironmentScope,
  base: Type.String(),
  layers: Type.Array(
    Closed({
      kind: OneOf(layerKinds),
      digest: Type.String(),
      bytes: Type.Integer(),
      tarBytes: Type.Integer(),
      builtAt: Type.String(),
      provenance: Type.String(),
    }),
  ),
  endedIn: Nullable(OneOf(['setup', 'dependencies', 'verify'])),
  setup: Nullable(Report),
  dependencies: Nullable(Report),
  verify: Nullable(Report),
  failure: Nullable(Closed({ code: Type.String(), detail: Type.String() })),
  createdAt: Type.String(),
  finishedAt: Nullable(Type.String()),
});
export type Environment = Static<typeof Environment>;
