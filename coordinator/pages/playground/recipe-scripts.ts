/**
 * Owns showing what a recipe runs, for whoever wants to know before running it. Never changes a script.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { make } from '../foundation/elements.ts';

/** Its scripts, folded away. */
export function makeRecipeScripts({ title, environment, compile, run }: Recipe): HTMLElement {
  const scripts = [
    ['Setup', environment.setup],
    ['Dependencies', environment.dependencies],
    ['Compile', compile?.script],
    ['Run', run.script],
  ] as const;
  const shown = scripts.flatMap(([name, script]) =>
    script === undefined
      ? []
      : [
          make('dt', {}, name),
          make('dd', {}, make('pre', { tabindex: '0', 'aria-label': `${name} script` }, script.trimEnd())),
        ],
  );
  return make(
    'details',
    {},
    make('summary', {}, `What ${title} runs`),
    make('dl', { class: 'recipe-scripts' }, ...shown),
  );
}
