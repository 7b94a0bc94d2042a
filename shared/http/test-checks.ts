/**
 * Owns what a schema can't say about tests, groups and checks: names that must exist once, groups that must not need each other in a circle, what goes
 * with what. Never throws and never changes anything.
 */
import type { ExecutionRequest } from '../model/execution.ts';
import type { CheckProgram } from '../model/judging.ts';
import type { AllLimits } from '../model/limits.ts';
import { type Findings, findFiles, findLimits, findText } from './findings.ts';

/** What a check program finds of a test lies there. */
const reservedNames: ReadonlySet<string> = new Set(['.test']);
const ofTests = ['groups', 'check', 'stopAfterFailures', 'testsAtOnce'] as const;

/** What is wrong with the tests of a request, and with what judges them. */
export function findTests(request: ExecutionRequest, maxima: AllLimits, findings: Findings): void {
  const { tests, groups = [], check } = request;
  if (tests === undefined) {
    for (const name of ofTests) {
      const detail = 'says something about tests, and there are none';
      if (request[name] !== undefined) findings.places.push({ pointer: `/${name}`, detail });
    }
    return;
  }
  findTestCases(request, findings);
  if (request.run.collect !== undefined)
    findings.places.push({ pointer: '/run/collect', detail: 'has no place beside tests: of a test nothing is kept' });
  findGroups(groups, findings);
  if (check === undefined) return;
  if ('run' in check) findProgram(check, maxima, findings);
  else if (check.tolerance !== undefined && check.kind !== 'float') {
    findings.places.push({ pointer: '/check/tolerance', detail: `is for 'float'; '${check.kind}' has none` });
  }
}

function findTestCases({ tests = [], groups }: ExecutionRequest, findings: Findings): void {
  const { places } = findings;
  const names = new Map<string, number>();
  const known = groups === undefined ? null : new Set(groups.map(({ name }) => name));
  for (const [index, test] of tests.entries()) {
    const pointer = `/tests/${index}`;
    const name = test.name ?? String(index + 1);
    const before = names.get(name);
    if (before !== undefined) {
      places.push({ pointer: `${pointer}/name`, detail: `is '${name}', as that of test ${before} is` });
    }
    names.set(name, index);
    findText(test.stdin ?? '', test.stdinEncoding, `${pointer}/stdin`, findings);
    findText(test.expected ?? '', test.expectedEncoding, `${pointer}/expected`, findings);
    for (const part of ['stdin', 'expected'] as const) {
      const detail = `says how '${part}' is written, and there is none`;
      const isAlone = test[part] === undefined && test[`${part}Encoding`] !== undefined;
      if (isAlone) places.push({ pointer: `${pointer}/${part}Encoding`, detail });
    }
    if (test.group !== undefined && known !== null && !known.has(test.group)) {
      places.push({ pointer: `${pointer}/group`, detail: `is '${test.group}', which is none of the groups` });
    }
  }
}

function findGroups(groups: NonNullable<ExecutionRequest['groups']>, { places }: Findings): void {
  const indexes = new Map<string, number>();
  for (const [index, { name }] of groups.entries()) {
    const before = indexes.get(name);
    if (before !== undefined)
      places.push({ pointer: `/groups/${index}/name`, detail: `is as that of group ${before}` });
    indexes.set(name, index);
  }
  // A group that needs only what comes before it is in no circle.
  for (const [index, { requires = [] }] of groups.entries()) {
    for (const [at, needed] of requires.entries()) {
      const place = indexes.get(needed);
      const pointer = `/groups/${index}/requires/${at}`;
      if (place === undefined) places.push({ pointer, detail: `is '${needed}', which is none of the groups` });
      else if (place >= index)
        places.push({ pointer, detail: `is '${needed}': a group requires only groups that are listed before it` });
    }
  }
}

function findProgram({ files = [], compile, run }: CheckProgram, maxima: AllLimits, findings: Findings): void {
  findFiles(files, '/check/files', findings, reservedNames);
  findLimits(compile?.limits, '/check/compile/limits', 'compile', maxima, findings);
  findLimits(run.limits, '/check/run/limits', 'run', maxima, findings);
}
