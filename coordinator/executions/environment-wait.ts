/**
 * Owns the way of an execution to its environments: its own and that of its check program, opened together and waited for together.
 * Never moves a stage and never builds. Invariant: whoever waits is told once for each opening: that all are there, or that one can't be.
 */
import { type SystemError, toSystemError } from '../../shared/errors.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import type { BuildResult, EnvironmentBuild } from '../environments/environment-build.ts';
import { withoutSecrets } from '../environments/environment-key.ts';
import type { EnvironmentService, OpenedEnvironment } from '../environments/environment-service.ts';
import type { ExecutionEnvironment } from './execution-environment.ts';
import type { LiveExecution } from './live-execution.ts';

/** The environments of one request; `check` is null when its check program, if it has one, runs in the same. */
export interface OpenedEnvironments {
  readonly own: OpenedEnvironment;
  readonly check: OpenedEnvironment | null;
}

type Described = ExecutionRequest['environment'];

/** Who waits. */
export interface EnvironmentUser {
  /** One of them has to be built first. */
  missing(execution: LiveExecution): void;
  /** All are there; `isBuilt`: `missing` was said before. */
  ready(execution: LiveExecution, isBuilt: boolean): void;
  /** A script of one of them failed, by the client's doing. */
  refused(execution: LiveExecution): void;
  gaveUp(execution: LiveExecution, cause: SystemError): void;
  /** Is it not to go on? */
  isOver(execution: LiveExecution): boolean;
}

/** The environment that a request's check program has for itself, or null. */
export function checkEnvironmentOf({ check }: Pick<ExecutionRequest, 'check'>): Described | null {
  return check !== undefined && 'run' in check ? (check.environment ?? null) : null;
}

/** A request as it may be kept: without the values of secrets. */
export function toKept(request: ExecutionRequest): ExecutionRequest {
  const keep = (environment: Described): Described =>
    typeof environment === 'string' ? environment : withoutSecrets(environment);
  const kept = { ...request, environment: keep(request.environment) };
  const { check } = request;
  if (check === undefined || !('run' in check) || check.environment === undefined) return kept;
  return { ...kept, check: { ...check, environment: keep(check.environment) } };
}

/** Did it come with secrets, which are not kept? */
export function hadSecrets(request: ExecutionRequest): boolean {
  const has = (environment: Described | null) =>
    environment !== null && typeof environment !== 'string' && environment.secrets !== undefined;
  return has(request.environment) || has(checkEnvironmentOf(request));
}

/** Opens them; rejects as EnvironmentService.open does. */
export async function openEnvironments(
  environments: Pick<EnvironmentService, 'open'>,
  tenantId: string,
  request: ExecutionRequest,
  executionId: string,
): Promise<OpenedEnvironments> {
  const own = await environments.open(tenantId, request.environment, executionId);
  const described = checkEnvironmentOf(request);
  return { own, check: described === null ? null : await environments.open(tenantId, described, executionId) };
}

/** See the head of this file. */
export class EnvironmentWait {
  readonly #user: EnvironmentUser;

  constructor(user: EnvironmentUser) {
    this.#user = user;
  }

  /** Waits for what was opened for this execution. */
  provide(execution: LiveExecution, { own, check }: OpenedEnvironments): void {
    const builds: (readonly [ExecutionEnvironment, EnvironmentBuild])[] = [];
    const take = (environment: ExecutionEnvironment, opened: OpenedEnvironment) => {
      if ('build' in opened) {
        environment.id = opened.build.description.id;
        builds.push([environment, opened.build]);
      } else Object.assign(environment, { ready: opened.ready, id: opened.ready.id });
    };
    take(execution.own, own);
    if (check !== null && execution.check !== null) take(execution.check, check);
    if (builds.length === 0) {
      this.#user.ready(execution, false);
      return;
    }
    this.#user.missing(execution);
    this.#await(execution, builds);
  }

  #await(execution: LiveExecution, builds: readonly (readonly [ExecutionEnvironment, EnvironmentBuild])[]): void {
    const releases = builds.map(([, build]) => follow(execution, build));
    let left = builds.length;
    let isTold = false;
    execution.unwant = () => {
      execution.unwant = null;
      isTold = true;
      for (const release of releases) release();
    };
    const isLate = () => isTold || this.#user.isOver(execution);
    for (const [environment, build] of builds) {
      build.result.then(
        (result) => {
          if (isLate()) return;
          left -= 1;
          environment.reports = { setup: result.setup, dependencies: result.dependencies, verify: result.verify };
          const { environment: ready } = result;
          if (ready !== null) Object.assign(environment, { ready, built: result.built });
          if (ready !== null && left > 0) return;
          execution.unwant?.();
          if (ready !== null) this.#user.ready(execution, true);
          else {
            execution.endedByBuild = toEnding(execution, environment, result);
            this.#user.refused(execution);
          }
        },
        (error: unknown) => {
          if (!isTold) this.#user.gaveUp(execution, toSystemError(error));
        },
      );
    }
  }
}

/** Has the build go on, and its log told; returns how to stop. */
function follow(execution: LiveExecution, build: EnvironmentBuild): () => void {
  const release = build.want();
  const unfollow = build.log.follow(0, ({ name, data }) => {
    if (name.startsWith('build.')) execution.log.append(name, data, JSON.stringify(data).length);
  });
  return () => {
    unfollow();
    release();
  };
}

function toEnding(
  execution: LiveExecution,
  environment: ExecutionEnvironment,
  result: Extract<BuildResult, { environment: null }>,
): LiveExecution['endedByBuild'] {
  if (environment === execution.check) return { verdict: 'checker-failed', endedIn: 'check' };
  return { verdict: result.verdict, endedIn: result.endedIn };
}
