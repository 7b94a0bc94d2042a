/**
 * Owns the commands that docs/http-api.md shows: each can be pasted into a shell where URL is set, one after another. Never run from here: a test runs
 * every one against a coordinator and holds what it prints against the status that stands beside it.
 */
import { executionExamples } from '../../shared/model/execution-examples.ts';

/** One command. */
export interface HttpExample {
  readonly title: string;
  readonly command: string;
  /** The answer's status, as curl tells it at the end. */
  readonly status: number;
}

const json = "--header 'content-type: application/json'";
const [hello, compiled] = executionExamples;

/** A value in single quotes for the shell. */
const quote = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "'\\''")}'`;

/** In the order of a first acquaintance. */
export const httpExamples: readonly HttpExample[] = [
  { title: 'Can it do work?', command: 'curl "$URL/readyz"', status: 200 },
  {
    title: 'Run a program and wait for its end',
    command: `curl "$URL/v1/executions?wait=true" ${json} --data ${quote(hello)}`,
    status: 200,
  },
  {
    title: 'Compile one, with a time to wait and limits of its own',
    command: `curl "$URL/v1/executions?wait=60" ${json} --data ${quote(compiled)}`,
    status: 200,
  },
  {
    title: 'Submit one without waiting: the same key is the same execution, however often it is sent',
    command: `curl "$URL/v1/executions" ${json} --header 'idempotency-key: attempt-1' --data ${quote(hello)}`,
    status: 202,
  },
  {
    title: 'Follow the newest one until it ends',
    command: [
      'ID=$(curl --silent "$URL/v1/executions?limit=1" | grep --only-matching \'exec_[0-9a-z]*\' | head -n 1)',
      'curl --no-buffer "$URL/v1/executions/$ID/events"',
    ].join('\n'),
    status: 200,
  },
  { title: 'List what there was, newest first', command: 'curl "$URL/v1/executions?limit=10"', status: 200 },
  {
    title: 'Have an environment built before it is needed',
    command: `curl "$URL/v1/environments" ${json} --data ${quote({ setup: 'apt-get update' })}`,
    status: 202,
  },
  {
    title: 'A mistake is named with its place, and with what was probably meant',
    command: `curl "$URL/v1/executions" ${json} --data ${quote({ environment: {}, run: { scirpt: 'true' } })}`,
    status: 400,
  },
];
