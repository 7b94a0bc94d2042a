/**
 * Owns how a catalog of messages becomes a union type, a decoder and an encoder. A message is `{ type, ...fields }`.
 * Never lets an unknown type or field pass: both ends are ours.
 */
import type { Static, TObject } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { SystemError } from '../errors.ts';

/** Message name to the schema of its fields (closed, without `type`). */
export type Catalog = Readonly<Record<string, TObject>>;

/** The union of a catalog's messages. */
export type MessageOf<C extends Catalog> = { [Name in keyof C & string]: { type: Name } & Static<C[Name]> }[keyof C &
  string];

/** A decoder for one direction; throws SystemError `message-invalid` naming the message and the field. */
export function createDecoder<C extends Catalog>(catalog: C): (text: string) => MessageOf<C> {
  const checks = new Map<string, TypeCheck<TObject>>();
  for (const [name, schema] of Object.entries(catalog)) checks.set(name, TypeCompiler.Compile(schema));
  return (text) => {
    const { type, ...fields } = parse(text);
    const check = typeof type === 'string' ? checks.get(type) : undefined;
    if (check === undefined)
      throw new SystemError('message-invalid', `there is no message '${String(type).slice(0, 64)}'`);
    if (!check.Check(fields)) {
      const first = check.Errors(fields).First();
      throw new SystemError('message-invalid', `${String(type)}${first?.path ?? ''}: ${first?.message ?? 'not valid'}`);
    }
    return { type, ...fields } as MessageOf<C>;
  };
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SystemError('message-invalid', 'a message is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SystemError('message-invalid', 'a message is not an object');
  }
  return value as Record<string, unknown>;
}

/** The text of a message. */
export function encodeMessage<Message extends { type: string }>(message: Message): string {
  return JSON.stringify(message);
}
