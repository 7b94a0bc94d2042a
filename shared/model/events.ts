/**
 * Owns what is told while an execution or a build goes on: the name of each server-sent event, and its data. Never says how events travel.
 * Invariant: an event's data is told whole by its schema; the last event of each stream is `finished`, with the answer that a GET would give.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { buildStates } from '../lifecycle/build.ts';
import { stages } from '../lifecycle/execution.ts';
import { buildPhases, buildStreams } from './build.ts';
import { Closed, Nullable, OneOf } from './closed.ts';
import { Environment } from './environment.ts';
import { Execution } from './execution.ts';
import { TestResult } from './judging.ts';

const layer = Type.String({ description: 'The kind of layer that is being built.' });
const bytes = Type.Integer({ minimum: 0, description: 'So far.' });
const fraction = Nullable(Type.Number({ minimum: 0, maximum: 1 }), {
  description: 'Of the whole, where that is known.',
});
const phase = OneOf(buildPhases, { title: 'BuildPhase', description: 'Where the build of a layer is.' });
const cause = Nullable(Type.String(), { description: 'What moved it (docs/lifecycles.md); null with the last one.' });

const buildEvents = {
  'build.phase': Closed({ layer, phase }, { title: 'BuildPhaseEvent', description: 'A build goes on to a phase.' }),
  'build.log': Closed(
    {
      layer,
      stream: OneOf(buildStreams, { description: "Of the script; `network`: what the build's network says." }),
      text: Type.String({ description: 'As it came, in pieces of any length.' }),
    },
    { title: 'BuildLogEvent', description: 'What a build says.' },
  ),
  'build.progress': Closed(
    { layer, phase, bytes, fraction },
    { title: 'BuildProgressEvent', description: 'How far a build is in its phase.' },
  ),
  'build.fetched': Closed(
    { layer, requests: Type.Integer({ minimum: 0, description: 'So far.' }), bytes },
    { title: 'BuildFetchedEvent', description: 'What a build has fetched.' },
  ),
} as const;

const forgotten = Closed(
  { events: Type.Integer({ minimum: 1, description: 'How many.' }) },
  {
    title: 'ForgottenEvent',
    description:
      'So many events between the last one that the client named and the next are not kept any more. It has no id.',
  },
);

const Output = Closed(
  {
    script: OneOf(['compile', 'run'], { description: 'Whose output it is.' }),
    data: Type.String({ description: 'The bytes, as `encoding` says, in pieces of any length.' }),
    encoding: Type.Literal('base64', { description: 'A piece may end within a character.' }),
  },
  { title: 'OutputEvent', description: 'What a program writes, while it writes it.' },
);

/** Of an execution. */
export const executionEvents = {
  stage: Closed(
    { stage: OneOf(stages, { description: 'Where it is now.' }), cause },
    { title: 'StageEvent', description: 'An execution comes to a stage.' },
  ),
  ...buildEvents,
  'fetch.progress': Closed(
    {
      phase: Type.Literal('fetching', { description: 'Always this.' }),
      bytes,
      bytesTotal: Type.Integer({ minimum: 0, description: 'Of all layers that the agent lacks.' }),
      fraction,
    },
    { title: 'FetchProgressEvent', description: 'How far its agent is with fetching layers.' },
  ),
  stdout: Output,
  stderr: Output,
  test: Closed(
    { index: Type.Integer({ minimum: 0, description: 'Its place in the request.' }), ...TestResult.properties },
    { title: 'TestEvent', description: 'A test is over.' },
  ),
  forgotten,
  finished: Execution,
} as const satisfies Record<string, TSchema>;

/** Of an environment's build. */
export const environmentEvents = {
  state: Closed(
    { state: OneOf(buildStates, { description: 'Where it is now.' }), cause },
    { title: 'BuildStateEvent', description: 'A build comes to a state.' },
  ),
  ...buildEvents,
  forgotten,
  finished: Environment,
} as const satisfies Record<string, TSchema>;
