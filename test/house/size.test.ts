/**
 * Owns law 8: files stay below 400 lines, functions below 70, in TypeScript, C and Python.
 * Never counts a list of tests (a block with `test(` directly in it): nobody follows it from top to bottom as a function.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blankOut, readSources } from './sources.ts';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

/** A block that is longer than allowed: where it begins and how long it is. */
interface LongBlock {
  readonly line: number;
  readonly lines: number;
}

/** Lines that open a declaration or a literal, not a function. */
const notFunction =
  /\b(class|interface|namespace)\b|\btype\s+\w+|=\s*\{$|\(\{$|\[\{?$|[:?]\s*\{$|return \{$|\bswitch\b|satisfies/;

/** Every block of braces above the limit that is a function, a method or a part of one. */
export function longFunctions(text: string, linesMax: number): LongBlock[] {
  const lines = blankOut(text).split('\n');
  const open: number[] = [];
  const found: LongBlock[] = [];
  lines.forEach((line, index) => {
    for (const character of line) {
      if (character === '{') open.push(index);
      if (character !== '}') continue;
      const from = open.pop() ?? index;
      const opening = (lines[from] ?? '').trim() === '{' ? (lines[from - 1] ?? '') : (lines[from] ?? '');
      const count = index - from + 1;
      if (count <= linesMax || notFunction.test(opening.trim()) || isListOfTests(lines.slice(from, index))) continue;
      found.push({ line: from + 1, lines: count });
    }
  });
  return found;
}

function isListOfTests([first = '', ...rest]: readonly string[]): boolean {
  const indent = first.length - first.trimStart().length + 2;
  return rest.some((line) => /^(test|describe)\(/.test(line.slice(indent)) && line.slice(0, indent).trim() === '');
}

test('no file is longer than 400 lines', () => {
  const long = readSources('.ts', '.mjs', '.c', '.h', '.def', '.sh', '.py')
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > FILE_LINES_MAX);
  assert.deepEqual(long, []);
});

test('no function is longer than 70 lines', () => {
  const long = readSources('.ts', '.c', '.h').flatMap(({ path, text }) =>
    longFunctions(text, FUNCTION_LINES_MAX).map(({ line, lines }) => `${path}:${line} has ${lines} lines`),
  );
  assert.deepEqual(long, []);
});

/** Every function of Python above the limit: from its `def` to the last line that is indented below it. */
function longFunctionsOfPython(text: string, linesMax: number): LongBlock[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const indent = /^( *)(?:async )?def /.exec(line)?.[1]?.length;
    if (indent === undefined) return [];
    const isWithin = (one: string) => one.trim() === '' || one.search(/\S/) > indent || /^ *[)\]}]/.test(one);
    const after = lines.slice(index + 1).findIndex((one) => !isWithin(one));
    const block = lines.slice(index, after === -1 ? lines.length : index + 1 + after);
    const count = block.findLastIndex((one) => one.trim() !== '') + 1;
    return count > linesMax ? [{ line: index + 1, lines: count }] : [];
  });
}

test('no function of Python is longer than 70 lines', () => {
  // What made vectors stays as it was when it made them.
  const sources = readSources('.py').filter(({ path }) => !path.startsWith('test/vectors/'));
  const long = sources.flatMap(({ path, text }) =>
    longFunctionsOfPython(text, FUNCTION_LINES_MAX).map(({ line, lines }) => `${path}:${line} has ${lines} lines`),
  );
  assert.deepEqual(long, []);
  const body = '        x = 1\n\n'.repeat(5);
  const method = `class A:\n    async def f(\n        self,\n    ) -> None:\n${body}\n    y = 2\n`;
  assert.deepEqual(longFunctionsOfPython(method, 11), [{ line: 2, lines: 12 }]);
  assert.deepEqual(longFunctionsOfPython(method, 12), []);
});

test('the scanner finds a long function and is not misled by braces in text', () => {
  const body = Array.from({ length: 8 }, (_, index) => `  f('}', \`{\${{ a: ${index} }.a}\`, /[}]/); // }`).join('\n');
  assert.deepEqual(longFunctions(`function f(a: string) {\n${body}\n}\n`, 9), [{ line: 1, lines: 10 }]);
  assert.deepEqual(longFunctions(`const c = {\n${body}\n};\n`, 9), []);
  assert.deepEqual(longFunctions(`static int f(void)\n{\n${body}\n}\n`, 9), [{ line: 2, lines: 10 }]);
});
