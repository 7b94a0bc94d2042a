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

/** What a schema may be told besides: `title` is its name in the API's description, where it is then written once. */
interface SchemaOptions {
  readonly title?: string;
  readonly description?: string;
}

interface ObjectOptions extends SchemaOptions {
  readonly examples?: readonly unknown[];
  /** Told in the description: one of these must be there. Whoever reads the object checks it. */
  readonly anyOf?: readonly { readonly required: readonly string[] }[];
}

/** An object that accepts exactly these members. */
export function Closed<Properties extends TProperties>(
  properties: Properties,
  options: ObjectOptions = {},
): TObject<Properties> {
  return Type.Object(properties, { ...options, additionalProperties: false });
}

/** `schema` or null. */
export function Nullable<Schema extends TSchema>(schema: Schema, options: SchemaOptions = {}): TUnion<[Schema, TNull]> {
  return Type.Union([schema, Type.Null()], options);
}

/** Any names to values of one schema. The pattern is any text: that of a plain record ends at a line feed, and lets pass what is named so. */
export function Named<Schema extends TSchema>(
  schema: Schema,
  options: SchemaOptions & { readonly maxProperties?: number } = {},
) {
  return Type.Record(Type.String({ pattern: '^[\\s\\S]*$' }), schema, options);
}

/** One of these strings. */
export function OneOf<const Values extends readonly string[]>(
  values: Values,
  options: SchemaOptions & { readonly default?: Values[number] } = {},
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
    title: 'Variables',
    description: 'Environment variables; a value holds no NUL.',
  },
);

/** A moment as text: ISO 8601 in UTC, as `toTimestamp` writes it. A pattern, because TypeBox knows no formats by itself. */
export const Timestamp = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?Z$',
  description: 'A moment; ISO 8601 in UTC.',
});
