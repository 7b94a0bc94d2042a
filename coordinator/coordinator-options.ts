/**
 * Owns what an embedding program gives to make a coordinator, and putting together all that is wrong with it. Never opens anything that would
 * have to be closed.
 */
import type { Clock, Random } from '../shared/clock.ts';
import { completeConfig, type Partly, toConfigError } from '../shared/config.ts';
import { type ErrorPlace, toSystemError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { EgressRules } from '../shared/model/egress.ts';
import type { Recipe } from '../shared/recipes/recipe.ts';
import { ownRecipesFolder, readRecipes } from '../shared/recipes/recipe-folder.ts';
import type { ObjectStore } from '../shared/storage/object-store.ts';
import { CoordinatorConfig } from './config.ts';
import { findConfigProblems } from './config-problems.ts';
import { readEgressPolicy } from './egress/policy-file.ts';
import type { Builder } from './environments/builder-client.ts';
import type { Verifier } from './environments/verifier-client.ts';
import type { StateStore } from './executions/state-store.ts';
import { type KeyRing, readTenants } from './tenants/keys.ts';

/** A coordinator's settings, each with its default where it is absent, and what it is to use instead of what it would open itself and close again. */
export interface CoordinatorOptions extends Partly<CoordinatorConfig> {
  readonly state?: StateStore | undefined;
  readonly store?: ObjectStore | undefined;
  /** Where files that clients send, and that executions leave, are kept; it is written to and deleted from. */
  readonly fileObjects?: ObjectStore | undefined;
  readonly builder?: Builder | undefined;
  readonly verifier?: Verifier | undefined;
  /** Who hears what goes on, from logLevel up; by default nobody. */
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** The settings, complete, and what the files say that they name. */
export interface CoordinatorPlan {
  readonly config: Readonly<CoordinatorConfig>;
  /** The operator's rules of the build network. */
  readonly egress: EgressRules;
  /** Keys of tenants, or null for the embedded mode. */
  readonly keys: KeyRing | null;
  /** What is kept ready, by name. */
  readonly recipes: readonly Recipe[];
}

/** Completes and checks everything; SystemError `configuration-invalid` with all that is wrong. */
export function readCoordinatorOptions(options: CoordinatorOptions): CoordinatorPlan {
  const { state, store, fileObjects, builder, verifier, logger, clock, random, ...settings } = options;
  const completed = completeConfig(CoordinatorConfig, settings);
  if ('problems' in completed) throw toConfigError(completed.problems);
  const config = completed.values;
  const problems: ErrorPlace[] = findConfigProblems(config).map((detail) => ({ pointer: '', detail }));
  const policy = readEgressPolicy(config.egressPolicyFile);
  if ('problems' in policy)
    problems.push(...policy.problems.map((detail) => ({ pointer: '/egressPolicyFile', detail })));
  const keys = readKeys(config, problems);
  const recipes = readOwnRecipes(config, problems);
  if ('problems' in policy || problems.length > 0) throw toConfigError(problems);
  return { config, egress: policy.rules, keys, recipes };
}

function readOwnRecipes({ recipesDirectory }: CoordinatorConfig, problems: ErrorPlace[]): Recipe[] {
  try {
    return readRecipes(recipesDirectory || ownRecipesFolder);
  } catch (error) {
    const { errors, message } = toSystemError(error);
    problems.push(...(errors.length > 0 ? errors : [{ pointer: '/recipesDirectory', detail: message }]));
    return [];
  }
}

function readKeys({ tenantsFile }: CoordinatorConfig, problems: ErrorPlace[]): KeyRing | null {
  if (tenantsFile === '') return null;
  try {
    return readTenants(tenantsFile);
  } catch (error) {
    problems.push({ pointer: '/tenantsFile', detail: toSystemError(error).message });
    return null;
  }
}
