/**
 * Owns the four scripts of a request, what they are built on and what the first two read. Never runs one, and never knows a recipe.
 * Invariant: what a request brought and nobody changed goes back as it came; a script that is empty is none.
 */
import { make } from '../foundation/elements.ts';
import { toLine, toWords } from './argument-words.ts';
import { FileTabs } from './file-tabs.ts';
import type { Draft, DraftEnvironment, DraftScript } from './request-parts.ts';
import { ScriptEditor, type ScriptTerms } from './script-editor.ts';

type Scripts = Pick<Draft, 'environment' | 'compile' | 'run'>;
type Variables = Readonly<Record<string, string>>;

const terms = {
  setup: {
    ...{ title: 'Setup', purpose: 'Packages. As root, with the network; kept as a layer.' },
    ...{ hint: 'apt-get update && apt-get install -y --no-install-recommends g++', pointer: '/environment/setup' },
  },
  dependencies: {
    ...{ title: 'Dependencies', purpose: 'Libraries. With the network; a layer on top.' },
    ...{ hint: 'pip install --user numpy', pointer: '/environment/dependencies' },
  },
  compile: {
    ...{ title: 'Compile', purpose: 'Without a network, beside your files.' },
    ...{ hint: 'g++ -O2 main.cpp -o main', pointer: '/compile/script' },
  },
  run: {
    ...{ title: 'Run', purpose: 'The program itself, without a network.' },
    ...{ hint: './main', pointer: '/run/script' },
  },
  verify: {
    ...{ title: 'Verify', purpose: 'Must succeed in the finished environment, without a network.' },
    ...{ hint: 'g++ --version', pointer: '/environment/verify' },
  },
} as const satisfies Record<string, ScriptTerms>;

/** See the head of this file. */
export class ScriptsForm {
  readonly root: HTMLElement;
  readonly #base: HTMLSelectElement;
  readonly #editors: Readonly<Record<keyof typeof terms, ScriptEditor>>;
  readonly #files: FileTabs;
  readonly #variables: Readonly<Record<'environment' | 'compile' | 'run', HTMLInputElement>>;
  #given: Scripts = { environment: {}, run: { script: '' } };

  constructor(bases: readonly string[], changed: () => void) {
    const toEditor = (name: keyof typeof terms) => new ScriptEditor(terms[name], changed);
    this.#editors = {
      ...{ setup: toEditor('setup'), dependencies: toEditor('dependencies'), compile: toEditor('compile') },
      ...{ run: toEditor('run'), verify: toEditor('verify') },
    };
    this.#base = make('select', { id: 'base' }, ...bases.map((name) => make('option', { value: name }, name)));
    this.#base.addEventListener('change', changed);
    this.#files = new FileTabs({
      ...{ name: 'build-files', title: 'Files of the build', pointer: '/environment/files', changed },
    });
    const toVariables = (id: string) => {
      const input = make('input', {
        id,
        type: 'text',
        autocomplete: 'off',
        spellcheck: 'false',
        placeholder: 'NAME=value',
      });
      input.addEventListener('input', changed);
      return input;
    };
    this.#variables = {
      ...{ environment: toVariables('variables-environment'), compile: toVariables('variables-compile') },
      run: toVariables('variables-run'),
    };
    const { setup, dependencies, compile, run, verify } = this.#editors;
    const base = make('div', { class: 'field', 'data-pointer': '/environment/base' });
    base.append(make('label', { for: 'base' }, 'Base'), this.#base);
    const more = make(
      'details',
      {},
      make('summary', {}, 'Files, variables and a check of the environment'),
      ...[this.#files.root, verify.root],
      ...(['environment', 'compile', 'run'] as const).map((name) => this.#makeVariables(name)),
    );
    this.root = make('div', { class: 'scripts' }, base, setup.root, dependencies.root, compile.root, run.root, more);
  }

  #makeVariables(name: 'environment' | 'compile' | 'run'): HTMLElement {
    const input = this.#variables[name];
    const title = { environment: 'Variables of the build', compile: 'Variables of compile', run: 'Variables of run' };
    const field = make('div', { class: 'field', 'data-pointer': `/${name}/variables` });
    field.append(make('label', { for: input.id }, title[name]), input);
    return field;
  }

  show(scripts: Scripts): void {
    this.#given = scripts;
    const { environment, compile, run } = scripts;
    this.#base.value = environment.base ?? this.#base.options[0]?.value ?? '';
    this.#editors.setup.show(environment.setup ?? '');
    this.#editors.dependencies.show(environment.dependencies ?? '');
    this.#editors.verify.show(environment.verify ?? '');
    this.#editors.compile.show(compile?.script ?? '');
    this.#editors.run.show(run.script);
    this.#files.open(environment.files ?? []);
    const all = { environment: environment.variables, compile: compile?.variables, run: run.variables };
    for (const [name, variables] of Object.entries(all))
      this.#variables[name as keyof typeof all].value = toVariableLine(variables ?? {});
  }

  get environment(): DraftEnvironment {
    const { environment } = this.#given;
    const files = this.#files.files;
    const { limits } = environment;
    const isDefault = environment.base === undefined && this.#base.selectedIndex <= 0;
    return {
      ...(isDefault ? {} : { base: this.#base.value as NonNullable<DraftEnvironment['base']> }),
      ...filled('setup', this.#editors.setup.text),
      ...filled('dependencies', this.#editors.dependencies.text),
      ...filled('verify', this.#editors.verify.text),
      ...(files.length === 0 ? {} : { files }),
      ...this.#toVariables('environment', environment.variables),
      ...(limits === undefined ? {} : { limits }),
    };
  }

  /** Without limits; null: nothing is compiled. */
  get compile(): DraftScript | null {
    const script = this.#editors.compile.text;
    return script.trim() === '' ? null : { script, ...this.#toVariables('compile', this.#given.compile?.variables) };
  }

  /** Without limits and input. */
  get run(): DraftScript {
    return { script: this.#editors.run.text, ...this.#toVariables('run', this.#given.run.variables) };
  }

  #toVariables(name: 'environment' | 'compile' | 'run', given: Variables | undefined): { variables?: Variables } {
    const variables = fromVariableLine(this.#variables[name].value);
    return given === undefined && Object.keys(variables).length === 0 ? {} : { variables };
  }
}

const filled = (name: 'setup' | 'dependencies' | 'verify', text: string) =>
  text.trim() === '' ? {} : { [name]: text };

function toVariableLine(variables: Variables): string {
  return toLine(Object.entries(variables).map(([name, value]) => `${name}=${value}`));
}

function fromVariableLine(line: string): Variables {
  const pairs = toWords(line).map((word) => {
    const at = word.indexOf('=');
    return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}
