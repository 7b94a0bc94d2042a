/**
 * Owns what programs run on in the scenarios: a layer of this machine's own true, sh and the like with their libraries, and a layer
 * of the measured programs of bench/programs, both as tars. Never asks a registry.
 * Invariant: a program in the layer is byte for byte the one that the rivals run.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compiledProgram } from './compiled-program.ts';

const copied = 'true sh cat sleep ls cp';

/** Programs that run inside, at /programs/<name>. */
const measured = ['spin', 'ticks', 'leave-behind', 'overrun', 'touch', 'fixed-work'] as const;

const fillBase = `set -e
mkdir -p usr/bin usr/lib usr/lib64 etc tmp dev proc sys run
ln -s usr/bin bin; ln -s usr/lib lib; ln -s usr/lib64 lib64
printf 'root:x:0:0::/:/bin/sh\\nuser:x:1000:1000::/environment/workspace:/bin/sh\\n' > etc/passwd
for name in ${copied}; do cp -L "/usr/bin/$name" usr/bin/; ldd "/usr/bin/$name"; done |
grep -o '/[^ ]*' | sort -u | while read -r library; do mkdir -p "./usr/$(dirname "$library")"; cp -L "$library" "./usr/$library"; done`;

function tarFilledBy(script: string, bytesMax = 1 << 28): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-bench-layer-'));
  try {
    const tar = 'tar --create --sort=name --numeric-owner --owner=0 --group=0 --format=posix .';
    const made = spawnSync('/bin/sh', ['-c', `chmod 755 .\n${script}\n${tar}`], { cwd: folder, maxBuffer: bytesMax });
    if (made.status !== 0) throw new Error(`a layer for the benchmarks: ${made.stderr}`);
    return made.stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** This machine's own programs. */
export function tarOfBase(): Buffer {
  return tarFilledBy(fillBase);
}

/** The measured programs. */
export function tarOfPrograms(): Buffer {
  const copies = measured.map((name) => `install -m 755 '${compiledProgram(`programs/${name}.c`)}' programs/${name}`);
  return tarFilledBy(['set -e', 'mkdir programs', ...copies].join('\n'));
}

/** A file `large` of so many bytes that are not all the same. */
export function tarOfLargeFile(mebibytes: number): Buffer {
  return tarFilledBy(`head -c ${mebibytes}M /dev/urandom > large`, (mebibytes + 1) << 20);
}
