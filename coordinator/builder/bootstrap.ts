/**
 * Owns how a base is made: mmdebstrap's command line and environment, writing a tar to standard output.
 * Never names an archive: mmdebstrap knows its own, the operator may set another.
 * Invariant: nothing of the host gets into a base but what the packages of the archive put there.
 */
import type { BuildOrder } from '../../shared/model/build.ts';
import { buildVariables, SYSTEM_DIRECTORY } from '../../shared/model/toolchain-variables.ts';

const suites: Readonly<Record<BuildOrder['base'], string>> = { 'debian-13': 'trixie', 'debian-12': 'bookworm' };

/** mmdebstrap copies these from the host; 99mmdebstrap holds our own settings for apt. */
const hostFiles = ['etc/resolv.conf', 'etc/hostname', 'etc/apt/apt.conf.d/99mmdebstrap'];

/** Program and environment of a base's bootstrap; `mirror` is a URL or empty. */
export function toBootstrap(
  base: BuildOrder['base'],
  mirror: string,
): { argv: string[]; environment: Record<string, string> } {
  const isSecure = mirror.startsWith('https:');
  const removal = hostFiles.map((path) => `"$1/${path}"`).join(' ');
  return {
    argv: [
      '/usr/bin/mmdebstrap',
      '--mode=root', // root of the sandbox's own user namespace
      '--variant=minbase',
      '--format=tar',
      ...(isSecure ? [`--aptopt=Acquire::https::CaInfo "${SYSTEM_DIRECTORY}/ca.crt"`] : []),
      `--customize-hook=rm -f ${removal}`,
      suites[base],
      '-',
      ...(mirror === '' ? [] : [mirror]),
    ],
    environment: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/tmp',
      TMPDIR: '/tmp',
      LANG: 'C.UTF-8',
      USER: 'root',
      SOURCE_DATE_EPOCH: buildVariables['SOURCE_DATE_EPOCH'] ?? '0',
    },
  };
}
