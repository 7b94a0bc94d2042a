/**
 * Owns what a client says about an environment, and what we say about one.
 * Never decides identity: that is environment-description.
 */
import { type Static, Type } from '@sinclair/typebox';
import { buildStates } from '../lifecycle/build.ts';
import { Closed, Nullable, OneOf, Timestamp, Variables } from './closed.ts';
import { Failure } from './failure.ts';
import { Limits } from './limits.ts';
import { Encoding, Report } from './verdict.ts';

/** A bytes limit on one script, as text. */
export const SCRIPT_CHARACTERS_MAX = 1_048_576;
/** How many files a request may carry. */
export const FILES_MAX = 1000;

/** A script's text; it holds no NUL. */
export const Script = Type.String({
  maxLength: SCRIPT_CHARACTERS_MAX,
  pattern: '^[^\\u0000]*$',
  title: 'Script',
  description: 'Run by `/bin/sh -e`, or by the interpreter that its `#!` line names; holds no NUL.',
});

/** A file that scripts read: a relative path and its content. */
export const File = Closed(
  {
    path: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: 'Relative, without `.`, `..`, empty or repeated segments.',
    }),
    content: Type.String({ description: 'As `encoding` says.' }),
    encoding: Type.Optional(Encoding),
    executable: Type.Optional(Type.Boolean({ description: 'May it be executed? Default: no.' })),
  },
  { title: 'File', description: 'A file that scripts read.' },
);
export type File = Static<typeof File>;

/** The bases that we can build. */
export const baseNames = ['debian-13', 'debian-12'] as const;

/** An environment as a client describes it. */
export const EnvironmentRequest = Closed(
  {
    base: Type.Optional(OneOf(baseNames, { description: 'What it is built on; default: the first.' })),
    setup: Type.Optional(Script),
    dependencies: Type.Optional(Script),
    files: Type.Optional(Type.Array(File, { maxItems: FILES_MAX, description: 'What setup and dependencies read.' })),
    variables: Type.Optional(Variables),
    secrets: Type.Optional(Variables),
    verify: Type.Optional(Script),
    visibility: Type.Optional(
      OneOf(['private', 'shareable'], { description: 'Default: shareable, if a second build gives the same.' }),
    ),
    fresh: Type.Optional(Type.Boolean({ description: 'Build it again, even if there is one.' })),
    limits: Type.Optional(Limits),
  },
  {
    title: 'EnvironmentRequest',
    description:
      'Script 1 (setup) and 2 (dependencies), which have the build network; verify must exit 0 without it. Secrets are seen by the build only, and make the environment private.',
  },
);
export type EnvironmentRequest = Static<typeof EnvironmentRequest>;

/** The id of an environment that was described before. */
export const EnvironmentReference = Type.String({
  pattern: '^env_[0-9a-z]{8,64}$',
  title: 'EnvironmentId',
  description: 'The id of an environment that was described before.',
});

/** The kinds of layer, lowest first. */
export const layerKinds = ['base', 'setup', 'dependencies'] as const;
export type LayerKind = (typeof layerKinds)[number];

const LayerKindName = OneOf(layerKinds, { title: 'LayerKind', description: 'Which step of the environment it is.' });

/** Where a layer of a result came from. */
export const LayerUse = Closed(
  {
    kind: LayerKindName,
    digest: Type.String({ description: 'Of its tar: `sha256:…`.' }),
    bytes: Type.Integer({ minimum: 0, description: 'Of its compressed blob.' }),
    origin: OneOf(['local', 'fetched', 'built'], { description: 'Had the agent it, or where did it come from?' }),
  },
  { title: 'LayerUse', description: 'A layer that an execution ran on.' },
);
export type LayerUse = Static<typeof LayerUse>;

/** Who may use an environment's layers. */
export const EnvironmentScope = OneOf(['tenant', 'shared'], {
  title: 'EnvironmentScope',
  description: 'Who may use its layers: its tenant alone, or everybody.',
});

/** An environment as a result names it. */
export const EnvironmentUse = Closed(
  {
    id: Type.String({ description: '`env_…`' }),
    scope: EnvironmentScope,
    layers: Type.Array(LayerUse, { description: 'Lowest first.' }),
  },
  { title: 'EnvironmentUse', description: 'The environment that an execution ran in.' },
);
export type EnvironmentUse = Static<typeof EnvironmentUse>;

const EnvironmentLayer = Closed(
  {
    kind: LayerKindName,
    digest: Type.String({ description: 'Of its tar: `sha256:…`.' }),
    bytes: Type.Integer({ minimum: 0, description: 'Of its compressed blob.' }),
    tarBytes: Type.Integer({ minimum: 0, description: 'Of its tar.' }),
    builtAt: Type.String({ description: 'When; ISO 8601 in UTC.' }),
    provenance: Type.String({ description: 'Digest of the statement how it was built and from what.' }),
  },
  { title: 'EnvironmentLayer', description: 'A layer of an environment.' },
);

/** An environment's state for its client. */
export const Environment = Closed(
  {
    id: Type.String({ description: '`env_…`, the digest of its description.' }),
    state: OneOf(buildStates, { title: 'BuildState', description: 'Where its build is; `ready`: it can be used.' }),
    scope: EnvironmentScope,
    base: Type.String({ description: 'What it is built on.' }),
    layers: Type.Array(EnvironmentLayer, { description: 'Lowest first; empty until it is ready.' }),
    endedIn: Nullable(OneOf(['setup', 'dependencies', 'verify']), {
      description: 'The script that failed, if one did.',
    }),
    setup: Nullable(Report, { description: 'Of the last build, when it ran.' }),
    dependencies: Nullable(Report, { description: 'Of the last build, when it ran.' }),
    verify: Nullable(Report, { description: 'Of the last build, when it ran.' }),
    failure: Nullable(Failure, { description: 'Our own fault, if the build failed by one.' }),
    createdAt: Timestamp,
    finishedAt: Nullable(Timestamp, { description: 'Null: it is being built.' }),
  },
  { title: 'Environment', description: 'An environment for its client.' },
);
export type Environment = Static<typeof Environment>;
