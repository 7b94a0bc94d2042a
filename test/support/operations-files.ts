/**
 * Owns how tests read what is in ops/ for containers: YAML and schemas by Python's packages, instructions of the Dockerfile, and what our processes
 * may be told. Never judges anything.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TObject } from '@sinclair/typebox';
import { CONFIG_PREFIX as AGENT_PREFIX, AgentConfig } from '../../agent/config.ts';
import { CONFIG_PREFIX as BUILDER_PREFIX, BuilderConfig } from '../../coordinator/builder/config.ts';
import { CoordinatorConfig, CONFIG_PREFIX as PREFIX } from '../../coordinator/config.ts';
import { findConfigProblems } from '../../coordinator/config-problems.ts';
import { CONFIG_PREFIX as VERIFIER_PREFIX, VerifierConfig } from '../../coordinator/environments/verifier/config.ts';
import { toSettings } from '../../ops/minio/settings.ts';
import { readConfig, variableName } from '../../shared/config.ts';
import { pythonPrograms } from './python-packages.ts';

const run = promisify(execFile);
export const root = join(import.meta.dirname, '../..');

/** Made once for all tests of a file. */
let programs: Promise<string> | null = null;

/** The folder of the checkers' programs. */
export function checkers(): Promise<string> {
  programs ??= pythonPrograms('operations-checkers.txt');
  return programs;
}

/** One document of a YAML file; its type is what its schema says, as far as a test looks at it. */
export interface Checked<Document> {
  readonly document: Document;
  readonly problems: readonly string[];
}

/** Every document of these files, with what its schema says against it. */
export async function checkYaml<Document>(kind: string, ...paths: readonly string[]): Promise<Checked<Document>[]> {
  const python = join(await checkers(), 'python');
  const program = join(import.meta.dirname, 'operations-checkers.py');
  return JSON.parse((await run(python, [program, kind, ...paths], { maxBuffer: 1 << 26 })).stdout);
}

/** Processes by the names that images and containers have, and what each may be told. */
const processes: Readonly<Record<string, { readonly schema: TObject; readonly prefix: string }>> = {
  coordinator: { schema: CoordinatorConfig, prefix: PREFIX },
  verifier: { schema: VerifierConfig, prefix: VERIFIER_PREFIX },
  builder: { schema: BuilderConfig, prefix: BUILDER_PREFIX },
  agent: { schema: AgentConfig, prefix: AGENT_PREFIX },
};

/** What is wrong with variables that a process is told, by its own words: names that it does not know, values that it would refuse. */
export function findVariableProblems(name: string, variables: Readonly<Record<string, string>>): string[] {
  // It reads what two processes are told.
  if (name === 'backup') return findBackupProblems(variables);
  const known = processes[name];
  const ours = Object.keys(variables).filter((variable) => variable.startsWith('ENVICUTOR_'));
  if (known === undefined) return ours.map((variable) => `${name} is told ${variable} and reads nothing`);
  const names = new Set(Object.keys(known.schema.properties).map((field) => variableName(known.prefix, field)));
  const strange = ours.filter((variable) => !names.has(variable)).map((variable) => `${name} knows no ${variable}`);
  const read = readConfig(known.schema, known.prefix, variables);
  if ('problems' in read) return [...strange, ...read.problems];
  return [...strange, ...(name === 'coordinator' ? findConfigProblems(read.values as CoordinatorConfig) : [])];
}

function findBackupProblems(variables: Readonly<Record<string, string>>): string[] {
  const [coordinator, verifier] = ['coordinator', 'verifier'].map((name) => findVariableProblems(name, variables));
  const isStrange = (problem: string) => / knows no /.test(problem);
  const unknownToBoth = coordinator?.filter(isStrange).filter((problem) => {
    return verifier?.includes(problem.replace(/^coordinator/, 'verifier'));
  });
  return [
    ...(unknownToBoth ?? []),
    ...[...(coordinator ?? []), ...(verifier ?? [])].filter((each) => !isStrange(each)),
  ];
}

/** What ops/minio/main.ts would write for this process. */
export function bucketVariables(file: 'coordinator.env' | 'verifier.env'): Record<string, string> {
  const user = { accessKey: 'a', secretKey: 's' };
  const users = { reader: user, writer: user, purger: user };
  const place = { endpoint: 'http://127.0.0.1:9000', publicEndpoint: '', region: 'us-east-1' };
  const text = toSettings({ ...place, bucket: 'b', users, files: { bucket: 'f', users } })[file] ?? '';
  return Object.fromEntries(
    text
      .trimEnd()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** One instruction of the Dockerfile with its stage. */
export interface Instruction {
  readonly stage: string;
  readonly name: string;
  readonly words: string;
}

/** Every instruction, lines that go on joined. */
export function readDockerfile(path = 'ops/Dockerfile'): Instruction[] {
  const lines = readFileSync(join(root, path), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  let stage = '';
  return lines.map((line) => {
    const [, name = '', words = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stage = / AS (\S+)$/.exec(words)?.[1] ?? '';
    return { stage, name, words };
  });
}
