/**
 * Owns the way from a LaunchSpec to the LAUNCH message's fields.
 * Never decides a limit or a variable: the spec is complete.
 */
import { names } from './contract.ts';
import type { FieldsOf } from './frames.ts';
import type { LaunchSpec, Profile } from './sandbox.ts';

const profiles: Readonly<Record<Profile, number>> = {
  execution: names.PROFILE.EXECUTION,
  build: names.PROFILE.BUILD,
  bootstrap: names.PROFILE.BOOTSTRAP,
  host: names.PROFILE.HOST,
  command: names.PROFILE.COMMAND,
};

const nothing = new Uint8Array(0);

function toEnvironment(variables: Readonly<Record<string, string>>): string[] {
  const lines: string[] = [];
  for (const name in variables) lines.push(`${name}=${variables[name]}`);
  return lines;
}

/** The LAUNCH fields of `spec` under the client's own number `launch`. */
export function toLaunchFields(launch: number, spec: LaunchSpec): FieldsOf<'LAUNCH'> {
  const { limits } = spec;
  return {
    launch,
    profile: profiles[spec.profile],
    layers: spec.layers,
    kept: spec.kept.map((kept) => Number(kept.launch)),
    keep: spec.isKept ? 1 : 0,
    target: spec.target ?? '',
    capture: spec.capture === null ? 0 : Number(spec.capture.launch),
    argv: spec.argv,
    environment: toEnvironment(spec.environment),
    directory: spec.directory,
    files: spec.files,
    systemFiles: spec.systemFiles,
    stdinOpen: spec.stdin === null ? 0 : 1,
    egress: spec.egress === null ? 0 : 1,
    egressConfig: spec.egress ?? nothing,
    cpuTimeMs: limits.cpuTimeMs,
    wallTimeMs: limits.wallTimeMs,
    idleTimeMs: limits.idleTimeMs,
    memoryBytes: limits.memoryBytes,
    processes: limits.processes,
    outputBytes: limits.outputBytes,
    fileSizeBytes: limits.fileSizeBytes,
    openFiles: limits.openFiles,
    stackBytes: limits.stackBytes,
    diskBytes: limits.diskBytes,
    diskInodes: limits.diskInodes,
    cpuShares: spec.cpuShares,
    cpus: spec.cpus ?? '',
    terminal: spec.terminal === null ? 0 : 1,
    terminalRows: spec.terminal?.rows ?? 0,
    terminalColumns: spec.terminal?.columns ?? 0,
    collect: spec.collect?.patterns ?? [],
    collectBytesMax: spec.collect?.bytesMax ?? 0,
    collectFilesMax: spec.collect?.filesMax ?? 0,
    outputWindowBytes: spec.outputWindowBytes ?? 0,
  };
}
