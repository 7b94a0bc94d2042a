/**
 * Owns what the command line is: every command with its words, flags and examples, every setting and every exit code. Help, completion, the manual page and
 * docs/cli.md derive from here, and so does what is read (invocation.ts).
 * Never runs anything. Invariant: a flag has one meaning wherever it is taken.
 */

/** What a value is, for completion. */
export type ValueKind = 'file' | 'folder' | 'text';

/** A flag; without `value` it takes none. */
export interface Flag {
  readonly short?: string;
  readonly value?: string;
  readonly kind?: ValueKind;
  readonly isRepeatable?: true;
  readonly meaning: string;
}

const allFlags = {
  url: { value: 'URL', meaning: 'The coordinator to ask.' },
  'key-file': { value: 'FILE', kind: 'file', meaning: 'File whose only line is the key to ask with.' },
  json: { meaning: 'Print the answer as JSON, on standard output.' },
  verbose: { short: 'v', meaning: 'Say more: logs of builds, and for each run what it used and where the time went.' },
  quiet: { short: 'q', meaning: 'Say nothing of builds and of how a program ended; the exit code does.' },
  help: { short: 'h', meaning: 'Show this.' },
  version: { meaning: 'Print the version.' },
  env: {
    short: 'e',
    value: 'NAME|FOLDER|ID',
    meaning:
      "A recipe by name, a folder of one, or an environment's id (env_…), which is used with the scripts of the recipe for this kind of file. Default: the recipe for the file's ending.",
  },
  file: {
    short: 'f',
    value: 'PATH',
    kind: 'file',
    isRepeatable: true,
    meaning: 'A further file, all files below a folder, or a pattern in quotes such as "data/*.txt".',
  },
  main: { value: 'PATH', kind: 'file', meaning: 'Which of several sources is the main one. Default: the first.' },
  arg: {
    short: 'a',
    value: 'TEXT',
    isRepeatable: true,
    meaning: 'An argument of the program; or all of them after --.',
  },
  'compiler-options': { value: 'WORDS', meaning: 'Further words for the compiler, separated by spaces.' },
  limits: {
    short: 'l',
    value: 'LIST',
    meaning:
      'Limits of the program: cpu=2s,memory=256m with cpu, wall, idle, memory, output, file-size, disk, stack, processes, open-files, inodes. Times in ms, s, m; sizes in k, m, g.',
  },
  'compile-limits': { value: 'LIST', meaning: 'The same for the compiler.' },
  stdin: {
    value: 'FILE',
    kind: 'file',
    meaning: 'Standard input from a file. Default: our own, unless it is a terminal.',
  },
  interactive: { short: 'i', meaning: 'Give the program this terminal.' },
  test: {
    short: 't',
    value: 'FOLDER',
    kind: 'folder',
    meaning: 'Run once for each NAME.in of this folder and hold what comes against NAME.ans (or NAME.out).',
  },
  compare: {
    value: 'KIND',
    meaning: 'How outputs are compared: lines (default), exact, tokens, float or float=TOLERANCE.',
  },
  collect: {
    value: 'PATTERN',
    isRepeatable: true,
    meaning: 'Bring files that the program leaves, such as "out/**/*.png".',
  },
  'collect-into': {
    value: 'FOLDER',
    kind: 'folder',
    meaning: 'Where they go; made if missing. Default: the current folder.',
  },
  fresh: { meaning: 'Build it again, even if there is one.' },
  from: { value: 'RECIPE', meaning: 'The recipe that is copied. Default: the one of that name.' },
  forget: { meaning: 'Forget the key of this coordinator instead.' },
} as const satisfies Readonly<Record<string, Flag>>;

export type FlagName = keyof typeof allFlags;
export const flags: Readonly<Record<FlagName, Flag>> = allFlags;

/** One command. */
export interface CommandDeclaration {
  /** Its words, such as `env build`. */
  readonly name: string;
  /** What comes after them, for people. */
  readonly operands: string;
  readonly operandsMin: number;
  readonly operandsMax: number;
  readonly operandKind: ValueKind | readonly string[];
  /** Half a sentence. */
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly flags: readonly FlagName[];
  /** May words for the program follow a `--`? */
  readonly takesArguments?: true;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
}

/** What every command takes that asks a coordinator. */
const asking: readonly FlagName[] = ['url', 'key-file'];
/** What every command takes. */
export const everywhere: readonly FlagName[] = ['help'];

const no = { operands: '', operandsMin: 0, operandsMax: 0, operandKind: 'text' } as const;
const one = { operandsMin: 1, operandsMax: 1, operandKind: 'text' } as const;

/** Every command, in the order in which help lists them. */
export const commands: readonly CommandDeclaration[] = [
  {
    ...{ name: 'run', operands: 'FILE… [-- ARGUMENTS]', operandsMin: 0, operandsMax: 1000, operandKind: 'file' },
    summary: 'compile and run a program',
    description: [
      'Runs a source in the environment that the coordinator keeps ready for its kind of file, or in the one that --env names. An environment that nobody has used yet is built first. What the program writes comes while it runs, standard output on ours and standard error on ours, byte by byte; the exit code is its own.',
      'Files lie in the workspace where they lie below the current folder; what is outside of it lies at the top, by its own name.',
      'Standard input is sent when it is no terminal, all of it before the program starts. With --interactive the program gets the terminal itself.',
      'Ctrl-C cancels the execution at the coordinator; a second one does not wait for that.',
    ],
    flags: [
      ...([
        'env',
        'file',
        'main',
        'arg',
        'compiler-options',
        'limits',
        'compile-limits',
        'stdin',
        'interactive',
      ] as const),
      ...(['test', 'compare', 'collect', 'collect-into', 'json', 'verbose', 'quiet'] as const),
      ...asking,
    ],
    takesArguments: true,
    examples: [
      ['envicutor run main.cpp < input.txt', 'compile and run it, with a standard input'],
      ['envicutor run main.py -- --size 3', 'with arguments'],
      ['envicutor run main.cpp --test tests/ --limits cpu=1s,memory=256m', 'against tests/*.in and *.ans'],
      ['envicutor run -i game.py', 'in this terminal'],
      ['envicutor run --env ./my-recipe main.xyz', 'in an environment of your own'],
    ],
  },
  {
    ...{ name: 'env build', operands: 'RECIPE|FOLDER', ...one, operandKind: 'folder' },
    summary: 'build an environment, with a bar for each of its scripts',
    description: [
      'What is there already is not built again, unless --fresh says so. Ctrl-C ends the watching, not the build.',
    ],
    flags: ['fresh', 'json', 'verbose', 'quiet', ...asking],
    examples: [
      ['envicutor env build python', 'of a recipe of the coordinator'],
      ['envicutor env build ./my-recipe', 'of a folder'],
    ],
  },
  {
    ...{ name: 'env list', ...no },
    summary: "list the environments of the key's tenant",
    description: ['Newest first.'],
    flags: ['json', ...asking],
    examples: [['envicutor env list', 'id, state, scope, size, age']],
  },
  {
    ...{ name: 'env show', operands: 'ID|RECIPE', ...one },
    summary: 'show one environment',
    description: ['Its state, its layers, and how its scripts ended.'],
    flags: ['json', ...asking],
    examples: [['envicutor env show python', 'the one of a recipe']],
  },
  {
    ...{ name: 'env log', operands: 'ID|RECIPE', ...one },
    summary: 'print the whole log of its build',
    description: [
      'Of a build that is under way it is followed to its end. Of one that is over it is what its scripts wrote, as far as their limit of output goes.',
    ],
    flags: asking,
    examples: [['envicutor env log env_0123456789 | less', 'of an environment by its id']],
  },
  {
    ...{ name: 'recipe list', ...no },
    summary: "list the coordinator's recipes",
    description: [
      'A recipe is an environment that is kept ready, with the scripts that compile and run a source in it.',
    ],
    flags: ['json', ...asking],
    examples: [['envicutor recipe list', 'name, title, endings of files']],
  },
  {
    ...{ name: 'recipe init', operands: 'FOLDER', ...one, operandKind: 'folder' },
    summary: 'write a folder of a recipe, to be changed',
    description: [
      'Copies a recipe of the coordinator: one file for each script, a first program in hello/. Use it with --env ./FOLDER.',
    ],
    flags: ['from', ...asking],
    examples: [['envicutor recipe init ./my-python --from python', 'then change ./my-python/dependencies']],
  },
  {
    ...{ name: 'login', operands: '[URL]', operandsMin: 0, operandsMax: 1, operandKind: 'text' },
    summary: 'remember a coordinator and a key for it',
    description: [
      'Reads the key without showing it, or from standard input when that is no terminal, asks the coordinator whether it is good, and keeps it in a file that only you can read. The last one is asked from then on; --url names another of those that are remembered.',
    ],
    flags: ['forget', ...asking],
    examples: [
      ['envicutor login https://envicutor.example', 'asks for the key'],
      ['envicutor login https://envicutor.example < key', 'takes it from a file'],
    ],
  },
  {
    ...{ name: 'doctor', ...no },
    summary: 'say what works, what does not, and the remedy',
    description: [
      'Which coordinator is asked and why, whether it answers and is ready, whether the key is good and for what, recipes, clocks, this machine. Exit code 1 when something is wrong.',
    ],
    flags: ['json', ...asking],
    examples: [['envicutor doctor', 'one line for each finding']],
  },
  {
    ...{ name: 'stop', ...no },
    summary: 'end the instance that was started in the background',
    description: [
      'Without a coordinator, a command that needs one starts an instance on this machine, which ends by itself when nobody has used it for ten minutes. This ends it now.',
    ],
    flags: [],
    examples: [['envicutor stop', 'nothing of it is left but its state']],
  },
  {
    ...{ name: 'completion', operands: 'bash|zsh|fish', ...one, operandKind: ['bash', 'zsh', 'fish'] },
    summary: 'print the completion for a shell',
    description: ['Goes where the shell looks for it; it asks nobody.'],
    flags: [],
    examples: [
      ['source <(envicutor completion bash)', 'in ~/.bashrc'],
      ['envicutor completion zsh > ~/.zfunc/_envicutor', 'in a folder of fpath'],
      ['envicutor completion fish > ~/.config/fish/completions/envicutor.fish', ''],
    ],
  },
];

/** Variables and files that settle what no flag does. */
export const settings: readonly (readonly [name: string, meaning: string])[] = [
  ['ENVICUTOR_URL', 'The coordinator, unless --url names it.'],
  ['ENVICUTOR_KEY', 'The key, unless --key-file names one. It goes to whichever coordinator is asked.'],
  [
    'ENVICUTOR_PORT',
    'The port on 127.0.0.1 that is asked, and that an instance is started on, when no coordinator is configured. Default 7070.',
  ],
  ['ENVICUTOR_STATE_DIRECTORY', 'Where an instance that is started keeps what it has. Default /var/lib/envicutor.'],
  ['NO_COLOR', 'When it is set, nothing is coloured; neither is what does not go to a terminal.'],
  ['NODE_EXTRA_CA_CERTS', "A file of certificates that a coordinator's may be signed by."],
  [
    '$XDG_CONFIG_HOME/envicutor/cli.json',
    'What login wrote: coordinators and keys; mode 0600. Default below ~/.config.',
  ],
  ['$XDG_STATE_HOME/envicutor/instance.log', 'What the instance in the background says. Default below ~/.local/state.'],
  ['$XDG_CACHE_HOME/envicutor/compiled', 'What makes the next start quicker. Default below ~/.cache.'],
];
