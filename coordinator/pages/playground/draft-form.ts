/**
 * Owns the request as somebody writes it: by a recipe, or by four scripts of its own; files, input, limits. Never runs one.
 * Invariants: what was written for a recipe is there again when that recipe is chosen again; scripts that somebody has changed are not written over.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { make } from '../foundation/elements.ts';
import { FileTabs } from './file-tabs.ts';
import { InputForm } from './input-form.ts';
import { RecipePicker } from './recipe-picker.ts';
import { makeRecipeScripts } from './recipe-scripts.ts';
import { type Draft, type DraftScript, mainOf, recipeOf, toDraft, toExample, toInput } from './request-parts.ts';
import { ScriptsForm } from './scripts-form.ts';

type Mode = 'recipe' | 'scripts';

/** What there is to build on. */
export interface Offers {
  readonly recipes: readonly Recipe[];
  readonly bases: readonly string[];
}

/** Where there is no recipe to begin with. */
const plain: Draft = {
  environment: {},
  files: [{ path: 'greeting.txt', content: 'Hello from a sandbox.\n' }],
  run: { script: 'cat greeting.txt\n' },
};

/** See the head of this file. */
export class DraftForm {
  readonly root: HTMLElement;
  readonly #offers: Offers;
  readonly #picker: RecipePicker;
  readonly #about = make('div', { class: 'about' });
  readonly #scripts: ScriptsForm;
  readonly #files: FileTabs;
  readonly #input: InputForm;
  readonly #modes: Readonly<Record<Mode, HTMLInputElement>>;
  readonly #kept = new Map<string, Draft>();
  #mode: Mode = 'scripts';
  #recipe: Recipe | null = null;
  #areScriptsChanged = false;

  /** `changed`: somebody has changed something. */
  constructor(offers: Offers, changed: () => void) {
    this.#offers = offers;
    this.#picker = new RecipePicker(offers.recipes, (recipe) => {
      this.#choose(recipe);
      changed();
    });
    this.#scripts = new ScriptsForm(offers.bases, () => {
      this.#areScriptsChanged = true;
      this.#input.showCompiled(this.#scripts.compile !== null);
      changed();
    });
    this.#files = new FileTabs({ name: 'files', title: 'Files', pointer: '/files', changed });
    this.#input = new InputForm(changed);
    this.#modes = { recipe: this.#makeMode('recipe', changed), scripts: this.#makeMode('scripts', changed) };
    const { recipe, scripts } = this.#modes;
    const modes = make(
      'fieldset',
      { class: 'modes' },
      make('legend', { class: 'unseen' }, 'What runs it'),
      make('label', {}, recipe, make('span', {}, 'Recipe')),
      make('label', {}, scripts, make('span', {}, 'Own scripts')),
    );
    modes.hidden = offers.recipes.length === 0;
    this.root = make(
      'div',
      { class: 'draft' },
      make('div', { class: 'choice' }, modes, this.#picker.root),
      ...[this.#about, this.#scripts.root, this.#files.root, this.#input.root],
    );
    this.show(offers.recipes[0] === undefined ? plain : toExample(preferred(offers.recipes)));
  }

  #makeMode(mode: Mode, changed: () => void): HTMLInputElement {
    const input = make('input', { type: 'radio', name: 'mode', value: mode });
    input.addEventListener('change', () => {
      this.#turn(mode);
      changed();
    });
    return input;
  }

  /** The request as it is written now. */
  get draft(): Draft {
    const input = this.#input.input;
    const files = this.#files.files;
    if (this.#mode === 'recipe' && this.#recipe !== null) return toDraft(this.#recipe, { ...input, files });
    const { environment, compile, run } = this.#scripts;
    const limited = (script: DraftScript, limits: typeof input.runLimits) =>
      Object.keys(limits).length === 0 ? script : { ...script, limits };
    return {
      ...{ environment, files },
      ...(compile === null ? {} : { compile: limited(compile, input.compileLimits) }),
      run: { ...limited(run, input.runLimits), ...toInput(input.stdin, input.arguments) },
    };
  }

  /** Where something stands that can't be sent; null: nowhere. */
  get unreadable(): string | null {
    return this.#input.unreadable;
  }

  /** Is a list open in which keys mean something else? */
  get isChoosing(): boolean {
    return this.#picker.isOpen;
  }

  /** `recipe`: whose it is, where that is known; two may have the same scripts. */
  show(draft: Draft, recipe = recipeOf(draft, this.#offers.recipes) ?? null): void {
    const main =
      recipe === null
        ? undefined
        : mainOf(
            recipe,
            draft.files.map(({ path }) => path),
          );
    this.#recipe = recipe ?? this.#recipe;
    this.#files.open(draft.files, main);
    const { stdin = '', arguments: words = [], limits = {} } = draft.run;
    const compileLimits = draft.compile?.limits ?? {};
    this.#input.show({ stdin, arguments: words, compileLimits, runLimits: limits });
    this.#scripts.show(draft);
    this.#areScriptsChanged = recipe === null;
    this.#showMode(recipe === null ? 'scripts' : 'recipe');
  }

  #choose(recipe: Recipe): void {
    if (this.#recipe !== null && this.#mode === 'recipe') this.#kept.set(this.#recipe.name, this.draft);
    this.#recipe = recipe;
    this.show(this.#kept.get(recipe.name) ?? toExample(recipe), recipe);
  }

  #turn(mode: Mode): void {
    if (mode === 'scripts' && this.#recipe !== null && !this.#areScriptsChanged) this.#scripts.show(this.draft);
    if (mode === 'recipe' && this.#recipe === null) this.#recipe = preferred(this.#offers.recipes);
    this.#showMode(mode);
  }

  #showMode(mode: Mode): void {
    this.#mode = mode;
    const isRecipe = mode === 'recipe';
    this.#modes[mode].checked = true;
    this.#picker.show(this.#recipe);
    this.#picker.root.hidden = !isRecipe;
    this.#scripts.root.hidden = isRecipe;
    this.#about.hidden = !isRecipe;
    if (this.#recipe !== null) this.#about.replaceChildren(makeRecipeScripts(this.#recipe));
    this.#input.showCompiled(isRecipe ? this.#recipe?.compile !== null : this.#scripts.compile !== null);
  }
}

/** Shown first where nobody has chosen: what most who try something know. */
function preferred(recipes: readonly Recipe[]): Recipe {
  const found = recipes.find(({ name }) => name === 'python') ?? recipes[0];
  if (found === undefined) throw new Error('there is no recipe');
  return found;
}
