/**
 * Owns the programs in a tarball's bin/ that are started by name: each runs the tarball's own Node on a compiled program, wherever it was unpacked.
 * Never sets a variable: what a program is told comes from who starts it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Compiled programs by the names that start them, those of package.json's `bin` among them. */
const programs: Readonly<Record<string, string>> = {
  envicutor: 'dist/client/cli/main.js',
  'envicutor-agent': 'dist/agent/main.js',
  'envicutor-backup': 'dist/coordinator/backup/main.js',
  'envicutor-builder': 'dist/coordinator/builder/main.js',
  'envicutor-coordinator': 'dist/coordinator/main.js',
  'envicutor-run': 'dist/client/run/main.js',
  'envicutor-verifier': 'dist/coordinator/environments/verifier/main.js',
};

/** Writes them into a folder beside which lib/ is. */
export function writePrograms(folder: string): void {
  for (const [name, program] of Object.entries(programs)) {
    writeFileSync(join(folder, name), toScript(program), { mode: 0o755 });
  }
}

const toScript = (program: string) => `#!/bin/sh
# Runs ${program} of this release with the release's own Node; a link to this file does the same.
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" "$here/../lib/${program}" "$@"
`;
