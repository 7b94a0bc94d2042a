/**
 * Owns following an execution or a build over cut connections: where it was, what comes next, when it is over. Never reads ahead of whoever asks for the next event.
 * Invariants: each event comes once and in order; the last one is `finished`, and it is told even if the server has forgotten all others.
 */
import type { Environment } from '../../shared/model/environment.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { EnvicutorError } from './envicutor-error.ts';
import { EventParser, type StreamedEvent } from './event-parser.ts';
import type { EnvironmentEvents, ExecutionEvents } from './event-types.ts';
import type { OpenAnswer, Transport } from './transport.ts';

/** Events by their names, each with its data and the id to go on from. */
type EventOf<Events> = {
  [Name in keyof Events]: { readonly type: Name; readonly id: string; readonly data: Events[Name] };
}[keyof Events];

/** What happens to an execution. */
export type ExecutionEvent = EventOf<ExecutionEvents>;
/** What happens to an environment. */
export type EnvironmentEvent = EventOf<EnvironmentEvents>;

/** What is followed. */
export interface Followed<Answer> {
  /** Of the thing itself; its events are below. */
  readonly path: string;
  readonly isOver: (answer: Answer) => boolean;
  /** Go on after the event of this id. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Ask how it ended before coming back: for who wants nothing but the end. */
  readonly isEndEnough?: boolean;
}

/** A server sends something every 15 s; who says nothing for so long is cut off. Milliseconds. */
const SILENCE_MS_MAX = 40_000;

interface Finished<Answer> {
  readonly type: 'finished';
  readonly id: string;
  readonly data: Answer;
}

/** Is an execution over, however? */
export const isExecutionOver = ({ finishedAt }: Pick<Execution, 'finishedAt'>) => finishedAt !== null;
/** Is an environment built, or can't it be? */
export const isEnvironmentOver = ({ finishedAt }: Pick<Environment, 'finishedAt'>) => finishedAt !== null;

/** Every event from the first, or after one, to `finished`; it ends with whoever stops asking. */
export async function* follow<Answer extends { readonly id: string }, Event extends { readonly type: string }>(
  transport: Transport,
  followed: Followed<Answer>,
): AsyncGenerator<Event, void, undefined> {
  const trouble = transport.trouble();
  const state = { after: followed.after ?? '', isOver: false };
  for (let round = 0; !state.isOver; round += 1) {
    try {
      const ended = round > 0 && followed.isEndEnough === true ? await askEnd(transport, followed, state) : null;
      if (ended !== null) yield ended as unknown as Event;
      else yield* readRound<Answer, Event>(transport, followed, state, () => trouble.end());
    } catch (error) {
      await trouble.wait(error, transport.signals(followed.signal));
      continue;
    }
    // A server that stops in good order, or a proxy with a time of its own: the next one is not asked at once either.
    if (!state.isOver) await trouble.wait(cutShort(followed.path), transport.signals(followed.signal));
  }
}

interface Place {
  after: string;
  isOver: boolean;
}

const cutShort = (path: string) =>
  new EnvicutorError('connection-failed', `GET ${path}/events ended before the last event`);

/** What one connection tells. */
async function* readRound<Answer extends { readonly id: string }, Event>(
  transport: Transport,
  followed: Followed<Answer>,
  place: Place,
  wentWell: () => void,
): AsyncGenerator<Event, void, undefined> {
  const { path, signal } = followed;
  const headers = { accept: 'text/event-stream', ...(place.after === '' ? {} : { 'last-event-id': place.after }) };
  const call = { method: 'GET', path: `${path}/events`, headers, signal, silenceMsMax: SILENCE_MS_MAX } as const;
  const answer = await transport.open(call);
  try {
    // Nothing more will ever be told after that event: then the end was told, or forgotten.
    if (answer.status === 204) {
      const ended = await askEnd(transport, followed, place);
      if (ended !== null) yield ended as unknown as Event;
      return;
    }
    for await (const event of readEvents(answer)) {
      const data = parse(event);
      const isLast = event.name === 'finished';
      // Told by a coordinator that has just started and not taken it up yet: nothing has ended.
      if (isLast && !followed.isOver(data as Answer)) return;
      wentWell();
      if (event.id !== '') place.after = event.id;
      place.isOver = isLast;
      yield { type: event.name, id: event.id, data } as unknown as Event;
      if (isLast) return;
    }
  } finally {
    answer.close();
  }
}

async function* readEvents(answer: OpenAnswer): AsyncGenerator<StreamedEvent, void, undefined> {
  if (!(answer.headers.get('content-type') ?? '').startsWith('text/event-stream'))
    throw new EnvicutorError('answer-unexpected', 'the answer is no stream of events', { status: answer.status });
  const parser = new EventParser();
  for (let bytes = await answer.read(); bytes !== null; bytes = await answer.read()) yield* parser.take(bytes);
}

function parse({ name, data }: StreamedEvent): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch (error) {
    throw new EnvicutorError('answer-malformed', `the data of an event '${name}' is no JSON`, { cause: error });
  }
}

/** The end, from the thing itself; null while it goes on. */
async function askEnd<Answer extends { readonly id: string }>(
  transport: Transport,
  { path, signal, isOver }: Followed<Answer>,
  place: Place,
): Promise<Finished<Answer> | null> {
  const data = await transport.ask<Answer>({ method: 'GET', path, signal });
  if (!isOver(data)) return null;
  place.isOver = true;
  return { type: 'finished', id: place.after, data };
}

/** The answer of the last event. */
export async function untilFinished<Answer extends { readonly id: string }>(
  transport: Transport,
  followed: Followed<Answer>,
): Promise<Answer> {
  const events = follow<Answer, Finished<Answer>>(transport, { ...followed, isEndEnough: true });
  for await (const { type, data } of events) if (type === 'finished') return data;
  throw new EnvicutorError('answer-malformed', `GET ${followed.path}/events ended without its last event`);
}
