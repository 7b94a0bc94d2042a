/**
 * Owns what a lease's scripts find: files, standard input, variables, as the sandbox takes them.
 * Never checks a path or a size (the coordinator did, the launcher does again) and never touches a disk but through files that were acquired.
 */
import type { InputEncoding, InputFile } from '../../shared/model/file.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import { executionVariables } from '../../shared/model/toolchain-variables.ts';
import { decodeInput } from '../../shared/model/verdict.ts';
import type { LaunchSpec, SandboxFile } from '../../shared/sandbox/sandbox.ts';
import type { AcquiredFiles } from '../files/agent-files.ts';

type Variables = Readonly<Record<string, string>>;

/** The request's files as bytes, those included that it names by id. */
export function toSandboxFiles(files: readonly InputFile[], acquired: AcquiredFiles): SandboxFile[] {
  return files.map((file) => ({
    path: file.path,
    isExecutable: file.executable ?? false,
    content: 'file' in file ? acquired.contentOf(file.file) : decodeInput(file.content, file.encoding ?? 'utf8'),
  }));
}

/** Standard input as bytes, or as a stream when it is a file's, or null when there is none. */
export function toStdin(text: string, encoding: InputEncoding, acquired: AcquiredFiles): LaunchSpec['stdin'] {
  if (encoding === 'file') return acquired.streamOf(text);
  return text === '' ? null : decodeInput(text, encoding);
}

/** The defaults, over them what the layers' scripts left (upper layers win), over that what the request gives. */
export function toVariables(manifests: readonly LayerManifest[], requested: Variables): Variables {
  const variables = { ...executionVariables };
  for (const manifest of manifests) Object.assign(variables, manifest.variables);
  return Object.assign(variables, requested);
}
