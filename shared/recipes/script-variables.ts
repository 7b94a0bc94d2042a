/**
 * Owns the names of the variables that scripts of recipes learn from what they work on. Loads nothing: whoever makes a request of a recipe wants no schema.
 * Never holds a value.
 */

/** The variable that names the main source, relative to the workspace. */
export const MAIN_VARIABLE = 'MAIN';
/** The variable with further words for the compiler, separated by spaces. */
export const COMPILER_OPTIONS_VARIABLE = 'COMPILER_OPTIONS';
