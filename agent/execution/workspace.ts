/**
 * Owns what a lease's scripts find: files, standard input, variables, as the sandbox takes them.
 * Never checks a path or a size (the coordinator did, the launcher does again) and never touches a disk.
 */
import type { File } from '../../shared/model/environment.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import { executionVariables } from '../../shared/model/toolchain-variables.ts';
import { decodeInput, type Encoding } from '../../shared/model/verdict.ts';
import type { SandboxFile } from '../../shared/sandbox/sandbox.ts';

type Variables = Readonly<Record<string, string>>;

/** The request's files as bytes. */
export function toSandboxFiles(files: readonly File[]): SandboxFile[] {
  return files.map((file) => ({
    path: file.path,
    isExecutable: file.executable ?? false,
    content: decodeInput(file.content, file.encoding ?? 'utf8'),
  }));
}

/** Standard input as bytes, or null when there is none. */
export function toStdin(text: string, encoding: Encoding): Uint8Array | null {
  return text === '' ? null : decodeInput(text, encoding);
}

/** The defaults, over them what the layers' scripts left (upper layers win), over that what the request gives. */
export function toVariables(manifests: readonly LayerManifest[], requested: Variables): Variables {
  const variables = { ...executionVariables };
  for (const manifest of manifests) Object.assign(variables, manifest.variables);
  return Object.assign(variables, requested);
}
