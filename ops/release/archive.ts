/**
 * Owns how a folder becomes a .tar.gz that is the same wherever and whenever it is made: entries by name, one time, one owner, modes that
 * follow from whether a file can be executed, and gzip without a name or a time.
 * Never looks into the folder: what belongs in it is its maker's.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Packs `folder`/`name`, whose files all get the time `seconds`, into the file `to`. GNU tar's and gzip's versions decide the bytes, too. */
export async function packFolder(folder: string, name: string, seconds: number, to: string): Promise<void> {
  const sameEverywhere = [
    ...['--format=ustar', '--sort=name', `--mtime=@${seconds}`, '--mode=u=rwX,go=rX'],
    ...['--owner=0', '--group=0', '--numeric-owner', '--hard-dereference'],
  ];
  const compressed = '--use-compress-program=gzip --no-name -6';
  await run('tar', ['--create', ...sameEverywhere, compressed, `--file=${to}`, `--directory=${folder}`, name]);
}

/** Unpacks these files of a .tar.gz into a folder, as nobody's: owners are this process's own. */
export async function unpack(archive: string, files: readonly string[], folder: string): Promise<void> {
  await run('tar', ['--extract', '--gzip', '--no-same-owner', `--file=${archive}`, `--directory=${folder}`, ...files]);
}
