/**
 * Owns the small schema vocabulary that the models share: closed objects, nullable values, literal unions.
 * Invariant: an object schema made here accepts no unknown member.
 */
import {
  type TLiteral,
  type TNull,
  type TObject,
  type TProperties,
  type TSchema,
  type TUnion,
  Type,
} from '@sinclair/typebox';

/** An object that accepts exactly these members. */
export function Closed<Properties extends TProperties>(
  properties: Properties,
  options: { description?: string } = {},
): TObject<Properties> {
  return Type.Object(properties, { ...options, additionalProperties: false });
}

/** `schema` or null. */
export function Nullable<Schema extends TSchema>(schema: Schema): TUnion<[Schema, TNull]> {
  return Type.Union([schema, Type.Null()]);
}

/** One of these strings. */
export function OneOf<const Values extends readonly string[]>(
  values: Values,
  options: { default?: Values[number]; description?: string } = {},
): TUnion<{ -readonly [Index in keyof Values]: TLiteral<Values[Index] & string> }> {
  return Type.Union(
    values.map((value) => Type.Literal(value)),
    options,
  ) as never;
}

/** Names to strings, for environment variables: the name's form is POSIX's. */
export const Variables = Type.Record(
  Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,255}$' }),
  Type.String({ maxLength: 131_072, pattern: '^[^\\u0000]*$' }),
  {
    additionalProperties: false,
    maxProperties: 1000,
    description: 'Environment variables; a value holds no NUL.',
  },
);

/** A moment as text: ISO 8601 in UTC, as `toTimestamp` writes it. A pattern, because TypeBox knows no formats by itself. */
export const Timestamp = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?Z$' });
