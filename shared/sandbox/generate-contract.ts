/**
 * Owns the way from contract.def, the one declaration of the launcher's wire contract, to contract.ts: `make contract` runs this file.
 * Never interprets the contract: names, numbers and order go over as they are, a line that it does not know is an error.
 * Invariant: contract.ts is exactly `toContractSource` of contract.def (test/contract/launcher-contract.test.ts).
 */
import { readFile, writeFile } from 'node:fs/promises';

/** Where the contract is declared. */
export const contractUrl = new URL('./launcher/contract.def', import.meta.url);
/** Where its TypeScript form stands. */
export const generatedUrl = new URL('./contract.ts', import.meta.url);

const header = `/**
 * GENERATED from launcher/contract.def by generate-contract.ts (make contract); never edited by hand.
 * Owns the numbers, names and field order of what TypeScript and the launcher say to each other; frames.ts gives them their wire form.
 */
`;

interface Message {
  readonly number: number;
  readonly direction: string;
  readonly fields: [name: string, type: string][];
}

interface Contract {
  version: number;
  readonly messages: Map<string, Message>;
  readonly names: Map<string, Map<string, number>>;
  readonly numbers: Map<string, number>;
}

const forms: readonly [RegExp, (contract: Contract, match: readonly string[]) => void][] = [
  [
    /^CONTRACT_VERSION\((\d+)\)$/,
    (contract, [version]) => {
      contract.version = Number(version);
    },
  ],
  [
    /^MESSAGE\((\w+), (\d+), ([CL])\)$/,
    (contract, [name = '', number, direction = '']) => {
      contract.messages.set(name, { number: Number(number), direction, fields: [] });
    },
  ],
  [
    /^FIELD\((\w+), (U8|U32|U64|I32|STR|BYTES|STRS|U64S|FILES), (\w+)\)$/,
    (contract, [message = '', type = '', name = '']) => {
      const owner = contract.messages.get(message);
      if (owner === undefined) throw new Error(`contract.def: field '${name}' of the unknown message '${message}'`);
      owner.fields.push([name, type]);
    },
  ],
  [
    /^NAME\((\w+), (\w+), (\d+)\)$/,
    (contract, [table = '', name = '', number]) => {
      const names = contract.names.get(table) ?? new Map<string, number>();
      contract.names.set(table, names.set(name, Number(number)));
    },
  ],
  [
    /^NUMBER\((\w+), (\d+)\)$/,
    (contract, [name = '', number]) => {
      contract.numbers.set(name, Number(number));
    },
  ],
];

function parse(text: string): Contract {
  const contract: Contract = { version: 0, messages: new Map(), names: new Map(), numbers: new Map() };
  for (const raw of text.replace(/\/\*.*?\*\//gs, '').split('\n')) {
    const line = raw.trim();
    if (line === '') continue;
    const form = forms.find(([pattern]) => pattern.test(line));
    if (form === undefined) throw new Error(`contract.def: '${line}' is none of the forms that its header describes`);
    form[1](contract, (form[0].exec(line) ?? []).slice(1));
  }
  return contract;
}

function block(lines: readonly string[], indent: string): string {
  return `{\n${lines.map((line) => `${indent}  ${line},\n`).join('')}${indent}}`;
}

/** The TypeScript form of contract.def's text; throws an Error that quotes a line it does not know. */
export function toContractSource(text: string): string {
  const contract = parse(text);
  const messages = [...contract.messages].map(([name, { number, direction, fields }]) => {
    const typed = block(
      fields.map(([field, type]) => `${field}: '${type}'`),
      '    ',
    );
    return `${name}: ${block([`number: ${number}`, `direction: '${direction}'`, `fields: ${typed}`], '  ')}`;
  });
  const numbered = (entries: Iterable<[string, number]>, indent: string): string =>
    block(
      [...entries].map(([name, number]) => `${name}: ${number}`),
      indent,
    );
  const names = [...contract.names].map(([table, entries]) => `${table}: ${numbered(entries, '  ')}`);
  return [
    header,
    `/** Version of the contract; both sides must say the same. */\nexport const CONTRACT_VERSION = ${contract.version};\n`,
    `/** Every message: its number, who sends it (C client, L launcher) and its fields in wire order. */`,
    `export const messages = ${block(messages, '')} as const;\n`,
    `/** The named constants: profiles, ends, limits, steps. */\nexport const names = ${block(names, '')} as const;\n`,
    `/** Bounds that both sides keep. */\nexport const numbers = ${numbered(contract.numbers, '')} as const;\n`,
  ].join('\n');
}

if (import.meta.main) {
  await writeFile(generatedUrl, toContractSource(await readFile(contractUrl, 'utf8')));
}
