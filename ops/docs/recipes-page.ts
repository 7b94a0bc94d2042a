/**
 * Owns docs/list-of-recipes.md: what the folders of ops/environments say of themselves, and which libraries their scripts fetch.
 * Never holds a word about one recipe: what a reader must know stands in its folder.
 */
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { ownRecipesFolder, readRecipes } from '../../shared/recipes/recipe-folder.ts';
import { notice, table } from './markdown.ts';

/** How clients are told of a library and its version, in a script or in a file of theirs: pip, npm, Go, Maven, cargo. */
const patterns = [
  /(?<=[\s"]|^)([A-Za-z0-9._-]+)==([^\s;"]+)/gm,
  /(?<=\s)(@?[a-z0-9._/-]+)@(\d[^\s]*)/g,
  /(?<=\s)([a-z0-9.]+\/\S+)@v(\S+)/g,
  /<artifactId>([^<]+)<\/artifactId>\s*<version>([^<]+)<\/version>\s*<\/dependency>/g,
  /^([a-z_0-9-]+) = (?:\{ version = )?"=([0-9.]+)"/gm,
];

/** What the second script brings, as it says itself, or by Debian's names. */
export function librariesOf({ environment }: Recipe): string[] {
  const script = environment.dependencies ?? '';
  const listed = patterns.flatMap((pattern) =>
    [...script.matchAll(pattern)].map(([, name = '', version = '']) => `${name} ${version}`),
  );
  const packages = [...script.matchAll(/^apt-get install (.*)$/gm)].flatMap(([, words = '']) => words.split(' '));
  return [...listed, ...packages.filter((word) => word !== '' && !word.startsWith('-'))];
}

/** The text of docs/list-of-recipes.md. */
export function toRecipesPage(): string {
  const recipes = readRecipes(ownRecipesFolder);
  const code = (words: readonly string[]) => words.map((word) => `\`${word}\``).join(' ');
  const rows = recipes.map((recipe) => [
    `[${recipe.name}](../ops/environments/${recipe.name})`,
    recipe.title,
    recipe.version,
    recipe.environment.base ?? 'debian-13',
    code(recipe.extensions),
    code(recipe.aliases),
    librariesOf(recipe).join(', '),
  ]);
  return [
    notice('the folders of ops/environments'),
    '# List of recipes',
    '',
    `The ${recipes.length} recipes of this release: what they are, and how one is written, is in [recipes.md](recipes.md); one that is not here is made in`,
    '[a few lines](tutorial-a-language-nobody-has.md). Libraries are what the second script brings; packages without a version are those that the base has.',
    '',
    table(['name', 'what', 'version', 'base', 'files', 'other names', 'libraries'], rows),
    '',
  ].join('\n');
}
