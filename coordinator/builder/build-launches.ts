/**
 * Owns the launches of a build as LaunchSpecs: a base's bootstrap, a script, the capture of what it left, a `verify` script. Pure.
 * Never names a secret anywhere but in the script's own environment.
 */
import type { BuildOrder } from '../../shared/model/build.ts';
import type { File } from '../../shared/model/environment.ts';
import { type AllLimits, limitDefaults } from '../../shared/model/limits.ts';
import {
  buildVariables,
  ENVIRONMENT_DIRECTORY,
  executionVariables,
  VARIABLES_FILE,
  WORKSPACE_DIRECTORY,
} from '../../shared/model/toolchain-variables.ts';
import { decodeInput } from '../../shared/model/verdict.ts';
import type { KeptLayer, LaunchSpec, SandboxFile } from '../../shared/sandbox/sandbox.ts';
import { toScriptLaunch } from '../../shared/sandbox/script.ts';
import { toBootstrap } from './bootstrap.ts';
import type { BuildNetwork } from './build-network.ts';

/** What a script of this build stands on. */
export interface Ground {
  /** Names in the layer store, lowest first. */
  readonly layers: readonly string[];
  /** What the scripts of those layers left in $ENVICUTOR_ENV. */
  readonly variables: Readonly<Record<string, string>>;
}

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
/** A tar has a header, perhaps pax records, and padding for each entry. */
const TAR_BYTES_PER_ENTRY = 3072;

const common = {
  layers: [],
  kept: [],
  isKept: false,
  target: null,
  capture: null,
  files: [],
  systemFiles: [],
  stdin: null,
  egress: null,
  cpus: null,
  terminal: null,
  collect: null,
} as const;

/** How many bytes a raw tar of what fits these limits can have. */
export function rawTarBytesMax(limits: AllLimits): number {
  return limits.diskBytes + limits.diskInodes * TAR_BYTES_PER_ENTRY + MiB;
}

/** A file of ours below /environment. */
function systemFile(path: string, content: string): SandboxFile {
  return { path: path.slice(ENVIRONMENT_DIRECTORY.length + 1), isExecutable: false, content: Buffer.from(content) };
}

function toSandboxFile(file: File): SandboxFile {
  const content = decodeInput(file.content, file.encoding ?? 'utf8');
  return { path: file.path, isExecutable: file.executable ?? false, content };
}

/** The script of a setup or dependencies layer. */
export function toScriptSpec(order: BuildOrder, ground: Ground, network: BuildNetwork, cpuShares: number): LaunchSpec {
  const { argv, file } = toScriptLaunch(order.script, []);
  // Made beforehand, so that a script can append to it; the capture drops it when it stays empty.
  const own = [systemFile(VARIABLES_FILE, '')];
  return {
    ...common,
    profile: 'build',
    layers: ground.layers,
    isKept: true,
    argv,
    environment: {
      ...buildVariables,
      ...network.variables,
      ...ground.variables,
      ...order.variables,
      ...order.secrets,
    },
    directory: ENVIRONMENT_DIRECTORY,
    files: [...own, ...order.files.map(toSandboxFile)],
    systemFiles: [file, ...network.systemFiles],
    egress: network.egress,
    limits: order.limits,
    cpuShares,
  };
}

/** The bootstrap of a base; standard output is its tar. */
export function toBaseSpec(order: BuildOrder, network: BuildNetwork, mirror: string, cpuShares: number): LaunchSpec {
  const { argv, environment } = toBootstrap(order.base, mirror);
  return {
    ...common,
    profile: 'bootstrap',
    argv,
    environment,
    directory: '/tmp',
    systemFiles: network.systemFiles,
    egress: network.egress,
    limits: { ...order.limits, outputBytes: rawTarBytesMax(order.limits) },
    cpuShares,
  };
}

/** GNU tar over what a script left; standard output is the raw tar. */
export function toCaptureSpec(kept: KeptLayer, limits: AllLimits, cpuShares: number): LaunchSpec {
  return {
    ...common,
    profile: 'host',
    capture: kept,
    // biome-ignore format: one option a line, with its reason
    argv: [
      '/usr/bin/tar', '--create', '--file=-', '--directory=/target',
      '--sort=name', '--numeric-owner', '--format=posix',
      '--mtime=@0', '--pax-option=delete=atime,delete=ctime',  // times would only cost a pax header for each entry
      '--xattrs', '--xattrs-include=user.overlay.opaque',
      '--xattrs-include=security.capability',                  // to be listed; the writer leaves it out
      '--no-acls', '--no-selinux',
      // Big, and dropped by the capture rules anyway: not even read. What the rules say stays the rules' alone.
      '--anchored', '--exclude=./var/lib/apt/lists/*_*', '--exclude=./var/cache/apt/*.bin', '--exclude=./var/cache/apt/archives/*.deb',
      '.',
    ],
    environment: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    directory: '/target',
    limits: {
      ...limits,
      outputBytes: rawTarBytesMax(limits),
      memoryBytes: 1 * GiB,
      processes: 8,
      diskBytes: 16 * MiB,
      diskInodes: 1024,
    },
    cpuShares,
  };
}

/** The `verify` script: as executions run, without network, on everything including the new layer. */
export function toVerifySpec(order: BuildOrder, script: string, ground: Ground, cpuShares: number): LaunchSpec {
  const { argv, file } = toScriptLaunch(script, []);
  return {
    ...common,
    profile: 'execution',
    layers: ground.layers,
    argv,
    environment: { ...executionVariables, ...ground.variables, ...order.variables },
    directory: WORKSPACE_DIRECTORY,
    systemFiles: [file],
    limits: limitDefaults.compile,
    cpuShares,
  };
}
