/**
 * Owns how a script's text becomes a program: what is written to /run/envicutor/script and which argv runs it.
 * Never looks for an interpreter: one that a `#!` line names and that is missing is the launch's start-failed.
 * Invariant: what the shell does with a script does not change by being replaced (`exec`) by the script's last command.
 */
import { SYSTEM_DIRECTORY } from '../model/toolchain-variables.ts';
import type { SandboxFile } from './sandbox.ts';

const NAME = 'script';
const PATH = `${SYSTEM_DIRECTORY}/${NAME}`;

/** A line whose meaning does not depend on the lines around it. */
const plainLine = /^[^\\'"`(){}<>&|;#]*$/;
/** A last line that may be replaced: one command with redirections and expansions, no substitution, list, comment or quote. */
const replaceableLine = /^[^\\'"`(){}&|;#!]*$/;
const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));
/** Words with which a line is not an external command, in any shell that may be /bin/sh. */
const shellWords = words(
  '. : [ [[ alias bg bind break builtin caller case cd chdir command compgen complete continue declare dirs disown do done echo elif else enable ' +
    'esac eval exec exit export false fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile popd printf ' +
    'print pushd pwd read readarray readonly return select set shift shopt source suspend test then time times trap true type typeset ' +
    'ulimit umask unalias unset until wait whence while',
);
/** Words that make a line part of something longer, or that the shell must be there for at the end. */
const openingWords = words(
  '. alias builtin case command do done elif else enable esac eval exec fi for function if in return select set source then trap until while',
);

function firstWord(line: string): string {
  return line.trimStart().split(/[ \t]/, 1)[0] ?? '';
}

function isReplaceable(line: string): boolean {
  const word = firstWord(line);
  return (
    /^[A-Za-z0-9_./][A-Za-z0-9_./+-]*$/.test(word) &&
    !shellWords.has(word) &&
    replaceableLine.test(line) &&
    !line.includes('<<')
  );
}

function isPlain(line: string): boolean {
  return line.trimStart().startsWith('#') || (plainLine.test(line) && !openingWords.has(firstWord(line)));
}

/**
 * The script with `exec` before its last command where that is certainly the same program: the shell neither forks nor
 * stays, so that the program's own signal and memory are reported instead of the shell's 128+n, and a start costs one process less.
 */
function replaceShell(script: string): string {
  const lines = script.replace(/[ \t\n]+$/, '').split('\n');
  const last = lines.pop() ?? '';
  if (script.includes('\r') || !isReplaceable(last) || !lines.every(isPlain)) return script;
  return [...lines, `exec ${last}`, ''].join('\n');
}

/** The argv and the file (for /run/envicutor) that run a script: by the interpreter of its `#!` line, else by `/bin/sh -e`. */
export function toScriptLaunch(script: string, args: readonly string[]): { argv: string[]; file: SandboxFile } {
  const hasInterpreter = script.startsWith('#!');
  const text = hasInterpreter ? script : replaceShell(script);
  return {
    argv: hasInterpreter ? [PATH, ...args] : ['/bin/sh', '-e', PATH, ...args],
    file: { path: NAME, isExecutable: true, content: Buffer.from(text) },
  };
}
