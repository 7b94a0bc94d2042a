/**
 * Owns the case about logs: what an operator finds with one grep for an execution, in the output of the whole instance.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instance } from '../../support/instance.ts';

/** Registers the case. */
export function logCases(instance: Instance): void {
  test('one grep for an execution tells its story: build, placement, run, end, by coordinator, builder and agent', async () => {
    const environment = { setup: 'echo grep > /environment/word' };
    const run = { script: 'cat /environment/word' };
    const { id } = await instance.api.execute({ environment, compile: { script: 'true' }, run });
    // Lines about the end may come a moment after the answer.
    await instance.untilSaid((line) => line.includes(id) && line.includes('lease completed'));
    const said = await instance.untilSaid((line) => line.includes(id) && line.includes('execution ended'));
    const story = said
      .filter((line) => line.includes(id))
      .map((line) => /^(\S+) +\S+ (?:info|warn|error|debug) +(.*?) \S+=/.exec(line)?.slice(1).join(': ') ?? line);
    const expected = [
      'coordinator: environment wanted',
      'coordinator: execution wants an environment',
      'coordinator: build started',
      'builder: build started',
      'builder: build finished',
      'coordinator: build published',
      'coordinator: environment build ended',
      'coordinator: execution moved',
      'agent: lease running',
      'agent: lease completed',
      'coordinator: execution ended',
    ];
    for (const line of expected) assert.ok(story.includes(line), `no '${line}' in:\n${story.join('\n')}`);
    // Nothing of a lease or an execution is told without its name.
    const nameless = said.filter(
      (line) => /\b(lease=|lease \w+|execution \w+ )/.test(line) && !/executionId=exec_/.test(line),
    );
    assert.deepEqual(nameless, []);
  });
}
