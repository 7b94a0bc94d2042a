/**
 * Owns which recipes somebody means who types a few letters. Pure; never decides between recipes that fit as well: those stay in their order.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';

type Named = Pick<Recipe, 'name' | 'title' | 'language' | 'aliases' | 'extensions'>;

/** How well one word fits; Infinity: not at all. */
function rankOf({ name, title, language, aliases, extensions }: Named, word: string): number {
  const names = [name, language, ...aliases, ...extensions, ...extensions.map((each) => each.slice(1))];
  const texts = [...names, ...title.split(/\s+/)].map((text) => text.toLowerCase());
  if (texts.includes(word)) return 0;
  if (texts.some((text) => text.startsWith(word))) return 1;
  return texts.some((text) => text.includes(word)) ? 2 : Number.POSITIVE_INFINITY;
}

/** Those that every word fits, the best first. */
export function searchRecipes<Each extends Named>(recipes: readonly Each[], typed: string): Each[] {
  const words = typed
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return recipes
    .map((recipe) => ({ recipe, rank: words.reduce((sum, word) => sum + rankOf(recipe, word), 0) }))
    .filter(({ rank }) => Number.isFinite(rank))
    .sort((one, other) => one.rank - other.rank)
    .map(({ recipe }) => recipe);
}
