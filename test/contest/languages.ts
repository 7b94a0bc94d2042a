/**
 * Owns the languages of the contest: what is installed for each, how a source is compiled or looked through, and how it runs.
 * Never names a registry; the shell, awk and Perl are those of the base.
 */
import type { EnvironmentRequest } from '../../shared/model/environment.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';

const installing = (packages: string): EnvironmentRequest => ({
  setup: `apt-get update\napt-get install -y --no-install-recommends ${packages}`,
});

/** What has to be built before anything is judged. */
export const environments = {
  base: {},
  native: installing('g++'),
  python: installing('python3'),
  lua: installing('lua5.4'),
} satisfies Readonly<Record<string, EnvironmentRequest>>;

interface Toolchain {
  readonly environment: EnvironmentRequest;
  readonly file: string;
  readonly compile: string | null;
  readonly run: string;
}

const { base, native, python, lua } = environments;
const toolchains = {
  c: { environment: native, file: 'main.c', compile: 'gcc -O1 main.c -o main -lm', run: './main' },
  cpp: { environment: native, file: 'main.cpp', compile: 'g++ -O1 main.cpp -o main', run: './main' },
  python: {
    environment: python,
    file: 'main.py',
    compile: 'python3 -m py_compile main.py',
    run: 'python3 main.py',
  },
  perl: { environment: base, file: 'main.pl', compile: 'perl -c main.pl', run: 'perl main.pl' },
  sh: { environment: base, file: 'main.sh', compile: 'sh -n main.sh', run: 'sh main.sh' },
  awk: { environment: base, file: 'main.awk', compile: null, run: 'awk -f main.awk' },
  lua: { environment: lua, file: 'main.lua', compile: 'luac5.4 -p main.lua', run: 'lua5.4 main.lua' },
} satisfies Readonly<Record<string, Toolchain>>;

/** One of them. */
export type Language = keyof typeof toolchains;

const compileLimits = { memoryBytes: 512 * 1024 * 1024, diskBytes: 64 * 1024 * 1024 };

/** The part of a request that says what is run. */
export function toProgram(
  language: Language,
  source: string,
  limits: ExecutionRequest['run']['limits'],
): Pick<ExecutionRequest, 'environment' | 'files' | 'compile' | 'run'> {
  const { environment, file, compile, run }: Toolchain = toolchains[language];
  return {
    environment,
    files: [{ path: file, content: source }],
    ...(compile === null ? {} : { compile: { script: compile, limits: compileLimits } }),
    run: { script: run, ...(limits === undefined ? {} : { limits }) },
  };
}
