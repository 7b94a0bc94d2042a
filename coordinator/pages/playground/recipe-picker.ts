/**
 * Owns choosing a recipe out of many by typing some letters of it: a field with a list below, as readers that listen to pages know it. Never asks for recipes.
 * Invariant: what stands in the field when it is left is the recipe that is chosen.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { make, setText } from '../foundation/elements.ts';
import { searchRecipes } from './recipe-search.ts';

/** See the head of this file. */
export class RecipePicker {
  readonly root: HTMLElement;
  readonly #recipes: readonly Recipe[];
  readonly #chosen: (recipe: Recipe) => void;
  readonly #input: HTMLInputElement;
  readonly #list = make('ul', { id: 'recipes', role: 'listbox', 'aria-label': 'Recipes', hidden: '' });
  readonly #none = make('p', { class: 'none', role: 'status' });
  #recipe: Recipe | null = null;
  #found: Recipe[] = [];
  #at = -1;

  constructor(recipes: readonly Recipe[], chosen: (recipe: Recipe) => void) {
    this.#recipes = recipes;
    this.#chosen = chosen;
    this.#input = make('input', {
      ...{ id: 'recipe', type: 'text', role: 'combobox', autocomplete: 'off', spellcheck: 'false' },
      ...{ 'aria-expanded': 'false', 'aria-controls': 'recipes', 'aria-autocomplete': 'list' },
    });
    const label = make('label', { for: 'recipe' }, 'Recipe');
    const below = make('div', { class: 'below' }, this.#list, this.#none);
    this.root = make('div', { class: 'picker' }, label, this.#input, below);
    this.#input.addEventListener('focus', () => {
      this.#input.select();
    });
    this.#input.addEventListener('click', () => this.#open(''));
    this.#input.addEventListener('input', () => this.#open(this.#input.value));
    this.#input.addEventListener('blur', () => this.#close());
    this.#input.addEventListener('keydown', (event) => this.#press(event));
    // The field keeps the focus, so that its being left means what it says.
    this.#list.addEventListener('mousedown', (event) => event.preventDefault());
  }

  get isOpen(): boolean {
    return !this.#list.hidden;
  }

  /** This one is chosen, and nobody is told. */
  show(recipe: Recipe | null): void {
    this.#recipe = recipe;
    this.#close();
  }

  #open(typed: string): void {
    this.#found = searchRecipes(this.#recipes, typed);
    const options = this.#found.map((recipe, at) => this.#makeOption(recipe, at));
    this.#list.replaceChildren(...options);
    this.#list.hidden = options.length === 0;
    setText(this.#none, options.length === 0 ? 'No recipe is called that. Own scripts need none.' : '');
    this.#input.setAttribute('aria-expanded', String(options.length > 0));
    const own = typed === '' ? this.#found.findIndex(({ name }) => name === this.#recipe?.name) : 0;
    this.#point(Math.max(own, options.length > 0 ? 0 : -1));
  }

  #makeOption(recipe: Recipe, at: number): HTMLElement {
    const option = make(
      'li',
      { id: `recipe-${at}`, role: 'option', 'aria-selected': String(recipe === this.#recipe) },
      make('span', {}, recipe.title),
      make('span', { class: 'version' }, recipe.version),
    );
    option.addEventListener('click', () => this.#choose(recipe));
    return option;
  }

  #point(at: number): void {
    this.#at = at;
    for (const [index, option] of [...this.#list.children].entries()) {
      option.classList.toggle('pointed', index === at);
      if (index === at) option.scrollIntoView({ block: 'nearest' });
    }
    if (at < 0) this.#input.removeAttribute('aria-activedescendant');
    else this.#input.setAttribute('aria-activedescendant', `recipe-${at}`);
  }

  #press(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (this.isOpen) this.#point(Math.min(this.#found.length - 1, Math.max(0, this.#at + step)));
      else this.#open('');
    } else if (event.key === 'Enter' && this.isOpen && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const found = this.#found[this.#at];
      if (found !== undefined) this.#choose(found);
    } else if (event.key === 'Escape') this.#close();
  }

  #choose(recipe: Recipe): void {
    this.#recipe = recipe;
    this.#close();
    this.#chosen(recipe);
  }

  #close(): void {
    this.#list.hidden = true;
    this.#list.replaceChildren();
    setText(this.#none, '');
    this.#point(-1);
    this.#input.setAttribute('aria-expanded', 'false');
    this.#input.value = this.#recipe?.title ?? '';
  }
}
