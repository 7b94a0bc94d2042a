/**
 * Owns how a schema of the API's description is written as a type of Python: names, unions, tuples, classes with a sentence for each member.
 * Never decides which schemas the Python client has (python-models.ts).
 * Invariant: members are called as on the wire, in snake case, so that both ways are mechanical; an optional member has a default, and no other has.
 */

/** What of JSON Schema the description uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

/** A class or an alias as it stands in a file, and what it names. */
export interface Declaration {
  readonly name: string;
  readonly text: string;
  readonly uses: readonly string[];
}

/** Schemas by their names. */
export type Schemas = Readonly<Record<string, Schema>>;

/** Classes of the client that give a declared one something to do, by its name. */
export const mixins: Readonly<Record<string, string>> = {
  Report: 'ScriptOutput',
  OutputEvent: 'OutputPiece',
  Execution: 'Ending',
  Environment: 'Ending',
};

/** The name in Python of a member that is called so on the wire. */
export function toSnake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const toTitle = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const nameOf = ($ref: string) => $ref.split('/').at(-1) ?? '';
const literal = (values: readonly unknown[]) => `Literal[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
const isNull = ({ type }: Schema) => type === 'null';

/** A sentence as Python's docstring; what is null there is None here. */
function toDocstring(text: string): string {
  const plain = text.replaceAll('\\', '\\\\').replaceAll('"""', "'''");
  const named = plain.replace(/`[a-z]+(?:[A-Z][a-z]*)+`/g, toSnake);
  const said = named.replace(/\b[Nn]ull\b/g, 'None');
  return `"""${said.endsWith('"') ? `${said} ` : said}"""`;
}

/** Writes one schema and whatever it holds without a name of its own. */
export class TypeWriter {
  readonly #schemas: Schemas;
  /** Classes that were found within others, in the order in which Python needs them. */
  readonly inner: Declaration[] = [];

  constructor(schemas: Schemas) {
    this.#schemas = schemas;
  }

  /** Of a schema with a name: a class, or an alias for a choice of texts. */
  declare(name: string): Declaration {
    const schema = this.#schemas[name];
    if (schema === undefined) throw new TypeError(`the description has no schema '${name}'`);
    if (schema.properties !== undefined) return this.#toClass(name, schema);
    const uses: string[] = [];
    const type = this.#toType(schema, name, uses);
    return { name, uses, text: `${name} = ${type}\n${toDocstring(schema.description ?? '')}\n` };
  }

  #toClass(name: string, { description = '', required = [], properties = {} }: Schema): Declaration {
    const uses: string[] = [];
    const members = Object.entries(properties).map(([member, schema]) => {
      const isRequired = required.includes(member);
      const type = this.#toType(schema, name + toTitle(member), uses);
      const written = isRequired || type.startsWith('Optional[') ? type : `Optional[${type}]`;
      const said = schema.description ?? this.#schemas[nameOf(schema.$ref ?? '')]?.description ?? '';
      const absent = isRequired ? '' : ' = None';
      return { isRequired, text: `    ${toSnake(member)}: ${written}${absent}\n    ${toDocstring(said)}\n` };
    });
    // Python wants members with a default behind the others.
    const ordered = [...members.filter((one) => one.isRequired), ...members.filter((one) => !one.isRequired)];
    const base = mixins[name] === undefined ? '' : `(${mixins[name]})`;
    const head = `@dataclass(frozen=True)\nclass ${name}${base}:\n    ${toDocstring(description)}\n\n`;
    return { name, uses, text: head + ordered.map(({ text }) => text).join('') };
  }

  /** The type, with the names that it uses added to `uses`. */
  #toType(schema: Schema, place: string, uses: string[]): string {
    if (schema.$ref !== undefined) return this.#toNamed(nameOf(schema.$ref), uses);
    if (schema.const !== undefined) return literal([schema.const]);
    if (schema.enum !== undefined) return literal(schema.enum);
    if (schema.anyOf !== undefined) return this.#toUnion(schema.anyOf, place, uses);
    if (schema.type === 'array') return `tuple[${this.#toType(schema.items ?? {}, place, uses)}, ...]`;
    if (schema.type === 'object') return this.#toObject(schema, place, uses);
    const scalar = { integer: 'int', number: 'float', boolean: 'bool', string: 'str' }[schema.type ?? ''];
    return scalar ?? 'Any';
  }

  /** A text that only has a form is a text. */
  #toNamed(name: string, uses: string[]): string {
    const schema = this.#schemas[name] ?? {};
    if (schema.properties === undefined && schema.enum === undefined) return this.#toType(schema, name, uses);
    uses.push(name);
    return name;
  }

  #toUnion(choices: readonly Schema[], place: string, uses: string[]): string {
    const types = choices.filter((choice) => !isNull(choice)).map((choice) => this.#toType(choice, place, uses));
    const union = types.length === 1 ? (types[0] ?? 'Any') : `Union[${types.join(', ')}]`;
    return choices.some(isNull) ? `Optional[${union}]` : union;
  }

  #toObject(schema: Schema, place: string, uses: string[]): string {
    if (schema.properties !== undefined) {
      if (!this.inner.some(({ name }) => name === place)) this.inner.push(this.#toClass(place, schema));
      uses.push(place);
      return place;
    }
    const [values = schema.additionalProperties] = Object.values(schema.patternProperties ?? {});
    const named = typeof values === 'object' ? this.#toType(values, place, uses) : 'Any';
    return `Mapping[str, ${named}]`;
  }
}
