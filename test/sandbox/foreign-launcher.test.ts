/**
 * Owns what can be shown of the launcher for arm64 on any machine: its decoders over every kept fuzz input, and its system call filter, which must
 * do with each call what the one for x86-64 does. Programs for another architecture run under qemu's user emulation, which has no sandbox.
 * Never makes a sandbox: test/sandbox does on a machine of that architecture.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { arch, constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type Architecture, architectures, compilers } from '../../ops/release/architectures.ts';
import { callFilter, type FilterInstruction } from '../support/call-filter.ts';
import { writeSeeds } from '../support/fuzz-seeds.ts';

const run = promisify(execFile);
const launcher = new URL('../../shared/sandbox/launcher/', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'envicutor-foreign-'));
const targets = writeSeeds(folder);
const emulator = (architecture: Architecture) => {
  return architecture === arch() ? [] : [architecture === 'arm64' ? 'qemu-aarch64' : 'qemu-x86_64'];
};
const start = (architecture: Architecture, program: string, ...words: readonly string[]) => {
  const [first = '', ...rest] = [...emulator(architecture), program, ...words];
  return run(first, rest, { maxBuffer: 1 << 26 });
};

// Plain char has no sign on arm64, and its C library other structures: what holds here need not hold there.
before(async () => {
  const settings = ['BUILD=build/arm64', `CC=${compilers.arm64}`, 'SANITIZE=', 'LDFLAGS=-static', 'CFLAGS='];
  await run('make', ['--silent', '--jobs=2', '-C', launcher, ...settings, 'replay']);
});
after(() => rmSync(folder, { recursive: true }));

for (const target of targets) {
  test(`the launcher's ${target.replaceAll('_', ' ')} for arm64: no kept input breaks a promise`, async () => {
    const inputs = [join(folder, target), join(launcher, 'fuzz/corpus', target)].filter((path) => existsSync(path));
    const { stdout } = await start('arm64', join(launcher, 'build/arm64/replay', target), ...inputs);
    assert.equal(Number(stdout), inputs.flatMap((path) => readdirSync(path)).length);
  });
}

/** Prints the filters, an instruction a line, after building them as the launcher does at its start. */
const printing = `
#include "seccomp.c"
#include <stdio.h>
#include <stdlib.h>
static bool is_one_id;
bool one_id(void) { return is_one_id; }
bool runs_program(uint8_t profile) { return profile == PROFILE_EXECUTION; }
void refuse(const char *sentence, const char *remedy) { fprintf(stderr, "%s, %s", sentence, remedy); exit(78); }
int main(int count, char **words) {
  is_one_id = count > 1 && words[1][0] == '1';
  build_filters();
  for (int kind = 0; kind < FILTERS; kind++)
    for (int i = 0; i < filters[kind].length; i++) {
      struct sock_filter at = filters[kind].code[i];
      printf("%d %u %u %u %u\\n", kind, at.code, at.jt, at.jf, at.k);
    }
}
`;

/** What the filters of an architecture do, by kind, and the numbers of its calls. */
async function filtersOf(architecture: Architecture, isOneId: boolean) {
  const source = join(folder, 'filters.c');
  const program = join(folder, `filters-${architecture}`);
  writeFileSync(source, printing);
  const settings = ['-std=c11', '-D_GNU_SOURCE', '-DRELEASE=""', '-O1', '-static', `-I${launcher}`];
  await run(compilers[architecture], [...settings, '-o', program, source]);
  const { stdout } = await start(architecture, program, isOneId ? '1' : '0');
  const filters: FilterInstruction[][] = [];
  for (const line of stdout.trimEnd().split('\n')) {
    const [kind = 0, code = 0, jt = 0, jf = 0, k = 0] = line.split(' ').map(Number);
    filters[kind] ??= [];
    filters[kind].push({ code, jt, jf, k });
  }
  const numbers = await run(compilers[architecture], [
    '-E',
    '-dM',
    '-include',
    'sys/syscall.h',
    '-x',
    'c',
    '/dev/null',
  ]);
  const calls = [...numbers.stdout.matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map(([, name = '', number]) => {
    return [name, Number(number)] as const;
  });
  return { filters, calls: new Map(calls) };
}

const { EPERM, ENOSYS, EAFNOSUPPORT } = constants.errno;
/** The kernel's AUDIT_ARCH_… */
const audited: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const ARM_32 = 0x40000028;
const ALLOWED = null;
/** Arguments that decide: none, one of each, flags of new namespaces, another address family, a terminal's injection, the core limit. */
const someArguments: readonly (readonly number[])[] = [
  ...[
    [],
    [1, 1, 1, 1],
    [0x10000000],
    [0x11],
    [16, 3],
    [3, 0x5412],
    [0, 4, 1],
    [4],
    [2, 1, 6],
    [2, 1, 132],
    [0, 1, 26],
    [0, 0, 0, 4],
  ],
];

for (const isOneId of [false, true]) {
  test(`each system call has the same fate on both architectures${isOneId ? ', with one id' : ''}`, async () => {
    const { x64, arm64 } = Object.fromEntries(
      await Promise.all(architectures.map(async (one) => [one, await filtersOf(one, isOneId)] as const)),
    ) as Record<Architecture, Awaited<ReturnType<typeof filtersOf>>>;
    const shared = [...x64.calls.keys()].filter((name) => arm64.calls.has(name));
    assert.ok(shared.length > 250, String(shared.length));
    const different: string[] = [];
    for (const kind of [0, 1, 2]) {
      for (const name of shared) {
        for (const given of someArguments) {
          const [here, there] = (
            [
              ['x64', x64],
              ['arm64', arm64],
            ] as const
          ).map(([architecture, { filters, calls }]) => {
            const number = calls.get(name) ?? -1;
            return callFilter(filters[kind] ?? [], { number, architecture: audited[architecture], given });
          });
          if (here !== there) different.push(`${kind} ${name}(${given}): ${here}, ${there}`);
        }
      }
    }
    assert.deepEqual(different, []);
  });
}

/** By numbers that are written down here, not taken from the headers that the filter is compiled with. */
const knownOnArm: readonly (readonly [number: number, fate: number | null, given?: readonly number[]])[] = [
  ...([
    [63, ALLOWED],
    [64, ALLOWED],
    [56, ALLOWED],
    [221, ALLOWED],
    [94, ALLOWED],
    [113, ALLOWED],
    [117, ALLOWED],
  ] as const),
  ...([
    [40, EPERM],
    [39, EPERM],
    [41, EPERM],
    [97, EPERM],
    [268, EPERM],
    [280, EPERM],
    [81, 0],
    [219, EPERM],
    [241, EPERM],
  ] as const),
  ...([
    [282, EPERM],
    [105, EPERM],
    [104, EPERM],
    [142, EPERM],
    [271, EPERM],
    [435, ENOSYS],
    [425, ENOSYS],
  ] as const),
  ...([
    [220, ALLOWED, [0x11]],
    [220, EPERM, [0x10000000]],
    [198, ALLOWED, [2, 1, 6]],
    [198, EAFNOSUPPORT, [16, 3]],
  ] as const),
  ...([
    [29, ALLOWED, [0, 0x5401]],
    [29, EPERM, [0, 0x5412]],
    [92, ALLOWED, [0]],
    [92, EPERM, [4]],
    [467, ENOSYS],
  ] as const),
];

test('the filter for arm64 refuses and allows what it should by the numbers of arm64, and every other architecture', async () => {
  const { filters } = await filtersOf('arm64', false);
  const [programs = []] = filters;
  const wrong = knownOnArm.flatMap(([number, fate, given = []]) => {
    const found = callFilter(programs, { number, architecture: audited.arm64, given });
    return found === fate ? [] : [`${number}(${given}) is ${found}, not ${fate}`];
  });
  assert.deepEqual(wrong, []);
  for (const architecture of [audited.x64, ARM_32])
    for (const number of [63, 0]) assert.equal(callFilter(programs, { number, architecture, given: [] }), ENOSYS);
});
